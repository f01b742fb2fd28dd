import type { Reporter, TestSequencerConstructor } from "vitest/node";

export declare const QuickFirst: TestSequencerConstructor;
export declare const TimesReporter: new () => Reporter;
