# Packages of a release, below build/packages: .deb, .rpm, a tarball, npm packages, an OCI image layout, checksums and a bill of
# materials.

.PHONY: packages
packages: all build/installed-package.json | $(BUN)
	$(BUN) packaging/main.ts build/packages

# The version, the changelog, checks, packages, a commit and a tag.
.PHONY: release
release:
	sh packaging/release-steps.sh '$(if $(filter command,$(origin VERSION)),$(VERSION))'

# The packages, installed into a new Debian and an empty npm project. Wants root, debootstrap and a Debian mirror.
.PHONY: test-packages
test-packages: packages
	$(BUN) test/run.ts test/packages/
