// SPDX-License-Identifier: Apache-2.0
#include "core/sync_context.hpp"

#include <algorithm>

#include "core/sink_queue.hpp"

namespace portsync::core {

SyncContext::SyncContext(SynchronizerOptions given, PortTable::Touched touched)
    : options(std::move(given)), ports(options.filter, std::move(touched)) {}

SyncContext::~SyncContext() = default;

void SyncContext::release_if_unused(Slot slot) {
  if (ports.link(slot) != nullptr) return;
  const bool unused =
      std::all_of(queues.begin(), queues.end(), [slot](const auto& queue) { return queue->holds_nothing(slot); });
  if (!unused) return;
  for (const auto& queue : queues) queue->forget(slot);
  if (slot < flaps.size()) flaps[slot] = {};
  ports.release(slot);
}

}  // namespace portsync::core
