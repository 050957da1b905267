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
    // Without a trace of its own: its cause has the one that leads to the check, and a flood of bad requests must cost less
    // than as many good ones.
    const { stackTraceLimit } = Error;
    // Where somebody froze `Error` it keeps its trace.
    Reflect.set(Error, 'stackTraceLimit', 0);
    try {
      super(problemOf(error, decision, exposeDetail) as object, error.status, { cause: error });
    } finally {
      Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
    }
    this.error = error;
    this.decision = decision;
  }
}
