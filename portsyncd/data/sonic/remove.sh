#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Removes portsyncd from the swss containers of a SONiC switch; swss' own one takes its place. See install.sh --help.
exec "$(dirname "${BASH_SOURCE[0]}")/install.sh" --remove "$@"
