import { HttpException } from '@nestjs/common';
import { problemOf } from './answer.js';
import type { TabError } from './tab-error.js';

/**
 * A refusal as Nest throws it: its response is the problem document, its `cause` the `TabError` with the log-only
 * detail. The headers have been set on the answer already, so that no exception filter can lose them.
 */
export class TabException extends HttpException {
  readonly error: TabError;
  /** Id of the decision record. */
  readonly decision: string;

  constructor(error: TabError, decision: string, exposeDetail = false) {
    super(problemOf(error, decision, exposeDetail) as object, error.status, { cause: error });
    this.error = error;
    this.decision = decision;
  }
}
