/** Token of the options as the application wrote them. */
export const TAB_OPTIONS = Symbol('TAB_OPTIONS');
/** Token of the endpoint options, which decide the module's controllers and so are known before any provider. */
export const TAB_ENDPOINTS = Symbol('TAB_ENDPOINTS');
/** Path prefix of the endpoints unless configured. */
export const DEFAULT_PREFIX = '/tab';
