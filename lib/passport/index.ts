export { TabStrategy, type TabPassportUser } from './tab.strategy.js';
