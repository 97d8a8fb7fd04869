// SPDX-License-Identifier: Apache-2.0
// The parts that the interfaces need once: the destructors that anchor their vtables here, and the library's version.
#include <portsync/pollable.hpp>
#include <portsync/state_sink.hpp>
#include <portsync/version.hpp>

namespace portsync {

Pollable::~Pollable() = default;
StateSink::Observer::~Observer() = default;
StoreWords::~StoreWords() = default;
ErasureObserver::~ErasureObserver() = default;

const char* version() noexcept {
  return PORTSYNC_VERSION;
}

}  // namespace portsync
