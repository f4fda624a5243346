import { programOf } from "../../src/host/engine/program.ts";
import { runBehaviours } from "./behaviours.ts";

programOf(() => void runBehaviours());
