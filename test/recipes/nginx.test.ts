import { testRecipe } from "./recipe.ts";

testRecipe({ page: "nginx", needs: { nginx: "command -v nginx" } });
