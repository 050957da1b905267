export { TabHealthIndicator } from './tab-health-indicator.js';
