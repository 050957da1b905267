// A test Defender says whatever it is told to say; nothing of this subpath belongs into a running service.
if (process.env.NODE_ENV === 'production') {
  throw new Error('nestjs-tab/testing does not load with NODE_ENV=production: import it in tests only');
}
export {};
