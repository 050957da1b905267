// What clients and servers of a run agree on.

/** What all processes answer to, whatever port they listen on. */
export const ORIGIN = 'https://api.example';
/** The guarded route. */
export const TARGET = '/open';
export const APP = { id: 'com.example.bank', ver: '2.1.0', platform: 'android' };
/** Seconds for which a token may be used after it was made. */
export const TOKEN_LIFETIME = 120;
