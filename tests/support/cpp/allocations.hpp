// SPDX-License-Identifier: Apache-2.0
// Counts the allocations of a test program. For one source file of it: this defines operator new.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace portsync::test {

inline std::size_t allocations = 0;

}  // namespace portsync::test

// Not inlined, or g++ sees malloc() and free() on one side only and takes them for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++portsync::test::allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
