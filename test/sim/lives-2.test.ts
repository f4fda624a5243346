// A third of the simulated lives; lives.ts has them all.
import { testLives } from "./lives.ts";

testLives(2);
