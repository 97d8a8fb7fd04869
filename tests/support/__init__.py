# SPDX-License-Identifier: Apache-2.0
"""What the tests share: network namespaces, a Redis server of their own, the daemon, faults and a runner."""
