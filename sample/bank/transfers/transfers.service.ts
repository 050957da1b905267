import { randomUUID } from 'node:crypto';
import {
  ForbiddenException,
  Inject,
  Injectable,
  NotFoundException,
  UnprocessableEntityException,
} from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { BANK_CONFIG, type BankConfig } from '../config.js';
import { BankDatabase } from '../database/bank-database.js';
import { Account, Transfer } from '../database/entities.js';
import type { TransferOrder } from './transfer-order.js';

/** A transfer that was carried out. */
export interface CompletedTransfer extends TransferOrder {
  readonly id: string;
}

/** Moves money. */
@Injectable()
export class TransfersService {
  readonly #database: BankDatabase;
  readonly #config: BankConfig;

  constructor(database: BankDatabase, @Inject(BANK_CONFIG) config: BankConfig) {
    this.#database = database;
    this.#config = config;
  }

  /**
   * @throws NotFoundException when there is no such account
   * @throws ForbiddenException when the money is somebody else's
   * @throws UnprocessableEntityException when there is not enough of it
   */
  async transfer(subject: string, order: TransferOrder): Promise<CompletedTransfer> {
    await this.#checkAccounts(subject, order);
    const id = randomUUID();
    await this.#database.transaction(async (manager) => {
      await moveMoney(manager, order);
      await manager.insert(Transfer, { id, ...order, createdAt: Math.floor(this.#config.clock() / 1000) });
    });
    return { id, ...order };
  }

  /** Accounts neither come, go nor change hands, so this holds until the money moves. */
  async #checkAccounts(subject: string, { from, to }: TransferOrder): Promise<void> {
    const accounts = await this.#database.read((manager) => manager.findBy(Account, { id: In([from, to]) }));
    const [source, target] = [from, to].map((id) => accounts.find((account) => account.id === id));
    if (!source || !target) throw new NotFoundException('There is no such account');
    if (source.owner !== subject) throw new ForbiddenException('The account is not yours');
  }
}

/** Both updates in the order of the ids, so that two opposite transfers cannot wait for each other. */
async function moveMoney(manager: EntityManager, { from, to, amount }: TransferOrder): Promise<void> {
  const credit = () => change(manager, to, 'balance + :amount', amount);
  if (to < from) await credit();
  // Looking and taking is one statement: nobody comes in between, in no process.
  const debited = await change(manager, from, 'balance - :amount', amount, 'balance >= :amount');
  if (!debited) throw new UnprocessableEntityException('There is not enough money in the account');
  if (from < to) await credit();
}

async function change(
  manager: EntityManager,
  id: string,
  balance: string,
  amount: number,
  condition = '1 = 1',
): Promise<boolean> {
  const { affected } = await manager
    .createQueryBuilder()
    .update(Account)
    .set({ balance: () => balance })
    .where('id = :id', { id })
    .andWhere(condition)
    .setParameters({ amount })
    .execute();
  return affected === 1;
}
