import type { Scene } from './attacks/attack.js';
import { Customer } from './customer.js';
import { Device } from './device.js';
import { BankView } from './views/bank-view.js';
import { DeviceView } from './views/device-view.js';
import { FeedView } from './views/feed-view.js';
import { LabView } from './views/lab-view.js';

/** Puts the page together. */
async function main(): Promise<void> {
  let show = () => {};
  const device = new Device(() => show());
  const customer = new Customer(device);
  const bankView = new BankView(customer, () => show());
  const scene: Scene = { device, customer, credentials: () => bankView.credentials() };
  const deviceView = new DeviceView(device);
  const labView = new LabView(scene, () => bankView.refresh());
  show = () => {
    deviceView.show();
    labView.show();
  };
  new FeedView().listen('/lab/decisions');
  await device.defender.ready();
  await bankView.refresh();
}

await main();
