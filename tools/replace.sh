#!/bin/sh
# Installs one file atomically: copies it beside its place and renames the copy. A program that runs from there keeps
# the old file. Usage: replace.sh MODE FROM TO
set -u
mode=$1 from=$2 to=$3
trap 'rm -f "$to.new"' EXIT
install -m "$mode" "$from" "$to.new" && mv -f "$to.new" "$to"
