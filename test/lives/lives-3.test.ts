// A third of the simulated lives (lives.ts).
import { testLives } from "./lives.ts";

testLives(3);
