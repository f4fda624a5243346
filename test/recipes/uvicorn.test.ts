// docs/how-to/recipes/uvicorn.md, as written, under load.
import { testRecipe } from "./recipe.ts";

testRecipe({
  page: "uvicorn",
  needs: { "python3-uvicorn": "/usr/bin/python3 -c 'import uvicorn'" },
  slowPath: "/slow",
});
