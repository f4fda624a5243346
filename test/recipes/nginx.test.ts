// docs/how-to/recipes/nginx.md, as written, under load.
import { testRecipe } from "./recipe.ts";

testRecipe({ page: "nginx", needs: { nginx: "command -v nginx" } });
