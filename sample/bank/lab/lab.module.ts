import { Module, type DynamicModule } from '@nestjs/common';
import { DecisionFeed } from './decision-feed.js';
import { LabController } from './lab.controller.js';
import { LAB_SETTINGS, type LabSettings } from './lab-settings.js';
import { PageController } from './page.controller.js';
import { PageFiles } from './page-files.js';

/** The attack lab, where there is one; without it there is nothing at `/` and under `/lab`. */
@Module({})
export class LabModule {
  static forRoot(settings: LabSettings): DynamicModule {
    return {
      module: LabModule,
      controllers: [LabController, PageController],
      providers: [{ provide: LAB_SETTINGS, useValue: settings }, DecisionFeed, PageFiles],
    };
  }
}
