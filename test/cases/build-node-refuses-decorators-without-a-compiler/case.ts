import type { Case } from "../../support/case.ts";

export default {
  files: {
    "app/package.json": '{ "main": "main.ts" }',
    "app/base.json":
      '{ "compilerOptions": { "experimentalDecorators": true, "emitDecoratorMetadata": true } }',
    "app/tsconfig.json": '{ "extends": "./base.json" }',
    "app/plain.ts": "export const plain: number = 1;",
    "app/main.ts":
      'import { plain } from "./plain";\nfunction Column(_: object, __: string) {}\nclass Row { @Column id!: number; }\nconsole.log(new Row(), plain);',
  },
  args: ["build", "app", "-o", "out", "--node", "none"],
  code: "E_NODE_DECORATORS",
  stderr: /app\/main\.ts: tsconfig\.json asks for emitDecoratorMetadata[\s\S]*--bundle fast/,
} satisfies Case;
