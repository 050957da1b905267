import { HeaderFields, type RequestContent, type TabRequest } from '../../../lib/token/request.js';

/** The parts of a request. */
export interface RequestParts {
  readonly method?: string;
  readonly handlerMethod?: string;
  readonly target?: string;
  readonly authority?: string | undefined;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
  /** Octets, or their text; absent is no content. */
  readonly content?: string | RequestContent;
}

const contentOf = (content: RequestParts['content']): RequestContent => {
  if (content === undefined) return { kind: 'none' };
  return typeof content === 'string' ? { kind: 'octets', octets: Buffer.from(content) } : content;
};

/** A `GET https://api.example.com/accounts`, unless a part says otherwise. */
export function aRequest(parts: RequestParts = {}): TabRequest {
  const method = parts.method ?? 'GET';
  return {
    method,
    handlerMethod: parts.handlerMethod ?? method,
    target: parts.target ?? '/accounts',
    authority: 'authority' in parts ? parts.authority : 'api.example.com',
    headers: new HeaderFields(parts.headers ?? []),
    content: contentOf(parts.content),
  };
}
