// SPDX-License-Identifier: Apache-2.0
// Counts the allocations of a test program, and lets one of them fail. Only one of its source files may include this,
// because it defines operator new.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace portsync::test {

inline std::size_t allocations = 0;
inline std::size_t failing_allocation = 0;  // the number of the allocation that fails; 0 = none

}  // namespace portsync::test

// Not inlined: otherwise g++ sees only one of malloc() and free(), and warns of a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (++portsync::test::allocations == portsync::test::failing_allocation) throw std::bad_alloc();
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
// std::stable_partition() uses this one. A sanitizer has its own, whose memory the delete below could not take.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
