import { Injectable } from '@nestjs/common';
import { BankDatabase } from '../database/bank-database.js';
import { User } from '../database/entities.js';
import { isPassword, NOBODYS_PASSWORD } from './passwords.js';

/** Names that can exist at all; others are not worth asking the database for. */
const USERNAME = /^[\w.-]{1,64}$/;

/** Who may log in. */
@Injectable()
export class Users {
  readonly #database: BankDatabase;

  constructor(database: BankDatabase) {
    this.#database = database;
  }

  /** Whether this is the user's password. An unknown user takes as long as a wrong password. */
  async isAuthentic(username: string, password: string): Promise<boolean> {
    const user = await this.#find(username);
    const matches = await isPassword(password, user?.passwordHash ?? (await NOBODYS_PASSWORD));
    return user !== undefined && matches;
  }

  async #find(username: string): Promise<User | undefined> {
    if (!USERNAME.test(username)) return undefined;
    const user = await this.#database.read((manager) => manager.findOneBy(User, { username }));
    // Ensures that the name is the one asked for, whatever the collation of the column makes of it.
    return user?.username === username ? user : undefined;
  }
}
