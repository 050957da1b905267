export { mergeState } from '../state-merge.js';
