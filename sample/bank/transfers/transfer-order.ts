import { BadRequestException } from '@nestjs/common';

/** What `POST /transfers` takes: `amount` cents from one account to another. */
export interface TransferOrder {
  readonly from: string;
  readonly to: string;
  readonly amount: number;
}

/** Account ids as the bank writes them. */
const ACCOUNT_ID = /^[a-z0-9-]{1,64}$/;

/** @throws BadRequestException that says what is wrong */
export function readOrder(body: unknown): TransferOrder {
  const { from, to, amount } = (body ?? {}) as Record<string, unknown>;
  const order = { from: readAccountId('from', from), to: readAccountId('to', to), amount: readAmount(amount) };
  if (order.from === order.to) throw new BadRequestException('from and to must be different accounts');
  return order;
}

function readAccountId(name: string, value: unknown): string {
  if (typeof value === 'string' && ACCOUNT_ID.test(value)) return value;
  throw new BadRequestException(`${name} must be an account id`);
}

function readAmount(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw new BadRequestException('amount must be a whole number of cents above 0');
}
