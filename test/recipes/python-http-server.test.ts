import { testRecipe } from "./recipe.ts";

testRecipe({ page: "python-http-server", needs: { python3: "command -v python3" } });
