import { note } from "./log";
import { Service } from "./main";
export class Later {
  @note("circular") service: Service<string>;
}
