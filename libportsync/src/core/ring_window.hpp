// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <portsync/pollable.hpp>

namespace portsync::core {

// Counts over the last `Buckets` times `bucket_length`, to the precision of a bucket. Anything older than the window is
// dropped; anything younger than the window minus one bucket is counted. Content is the counter of one bucket. Times
// never decrease. Pure, allocates nothing.
template <typename Content, std::size_t Buckets>
class RingWindow {
 public:
  explicit RingWindow(Clock::duration bucket_length) noexcept : bucket_length_(bucket_length) {}

  // Returns the counter for the present bucket.
  [[nodiscard]] Content& at(TimePoint now) noexcept {
    advance(number_of(now));
    const std::size_t place = place_of(newest_);
    if (!used_[place]) {
      used_.set(place);
      contents_[place] = {};
    }
    return contents_[place];
  }

  template <typename Visit>
  void visit(TimePoint now, Visit visit) const {
    for (std::int64_t bucket = first_of(now); bucket <= newest_; ++bucket) {
      if (used_[place_of(bucket)]) visit(contents_[place_of(bucket)]);
    }
  }

  // Returns when the oldest content leaves; std::nullopt when there is none.
  [[nodiscard]] std::optional<TimePoint> next_end(TimePoint now) const noexcept {
    for (std::int64_t bucket = first_of(now); bucket <= newest_; ++bucket) {
      if (used_[place_of(bucket)]) return TimePoint(bucket_length_ * (bucket + count));
    }
    return std::nullopt;
  }

 private:
  static constexpr auto count = static_cast<std::int64_t>(Buckets);

  // Returns the number of a bucket: its count since the clock's start.
  [[nodiscard]] std::int64_t number_of(TimePoint time) const noexcept {
    return time.time_since_epoch() / bucket_length_;
  }
  [[nodiscard]] static std::size_t place_of(std::int64_t bucket) noexcept {
    return static_cast<std::size_t>(bucket) % Buckets;
  }
  // Returns the oldest bucket of the window that ends now.
  [[nodiscard]] std::int64_t first_of(TimePoint now) const noexcept {
    const std::int64_t first = number_of(now) - count + 1;
    return first > 0 ? first : 0;
  }

  void advance(std::int64_t current) noexcept {
    if (current - newest_ >= count) {
      used_.reset();
      newest_ = current;
    }
    while (newest_ < current) used_.reset(place_of(++newest_));
  }

  Clock::duration bucket_length_;
  std::int64_t newest_ = 0;  // the newest bucket that has content
  std::bitset<Buckets> used_;
  std::array<Content, Buckets> contents_{};
};

}  // namespace portsync::core
