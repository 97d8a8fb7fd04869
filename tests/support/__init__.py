# SPDX-License-Identifier: Apache-2.0
"""What the tests stand on: network namespaces, a Redis server of one's own, the daemon, faults and a runner."""
