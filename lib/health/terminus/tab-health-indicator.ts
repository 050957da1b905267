import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { TabHealth } from '../tab-health.js';

/**
 * `TabHealth` for `@nestjs/terminus` 11 and 12. Import `TerminusModule`, make this a provider, and let the health endpoint
 * check it beside others: `health.check([() => tab.check('tab')])`.
 */
@Injectable()
export class TabHealthIndicator {
  readonly #indicators: HealthIndicatorService;
  readonly #health: TabHealth;

  constructor(indicators: HealthIndicatorService, health: TabHealth) {
    this.#indicators = indicators;
    this.#health = health;
  }

  /**
   * Checks the stores of `TabModule`. Never rejects: a store that fails is down.
   *
   * @param key the name under which the result is shown
   */
  async check<const Key extends string = 'tab'>(key: Key = 'tab' as Key): Promise<HealthIndicatorResult<Key>> {
    const { status, nonces, bindings, detail } = await this.#health.check();
    const indicator = this.#indicators.check(key);
    const data = { nonces, bindings, detail };
    return status === 'up' ? indicator.up(data) : indicator.down(data);
  }
}
