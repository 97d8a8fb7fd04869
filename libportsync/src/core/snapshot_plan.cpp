// SPDX-License-Identifier: Apache-2.0
#include "core/snapshot_plan.hpp"

#include <algorithm>
#include <cassert>

namespace portsync::core {

void SnapshotPlan::want(TimePoint when) noexcept {
  stage_ = Stage::wanted;
  wanted_at_ = when;
}

SnapshotPlan::Step SnapshotPlan::again(TimePoint when) noexcept {
  want(when);
  return Step::again;
}

void SnapshotPlan::on_start(TimePoint now) {
  lost_ = true;
  after_loss_ = now;
  want(now);
}

void SnapshotPlan::on_request(TimePoint now) {
  if (stage_ != Stage::idle) return;
  attempts_ = 0;
  want(now);
}

void SnapshotPlan::on_loss(TimePoint now) {
  lost_ = true;
  attempts_ = 0;
  if (known_ != Known::nothing) known_ = Known::doubtful;
  after_loss_ = policy_.on_loss(now);
  if (stage_ == Stage::idle) want(after_loss_);
  if (stage_ == Stage::wanted) want(std::min(wanted_at_, after_loss_));
}

void SnapshotPlan::on_begin(TimePoint now) {
  stage_ = Stage::listing;
  policy_.on_started();
  if (attempts_ == 0) first_begin_ = now;
}

void SnapshotPlan::on_refused(TimePoint now) {
  policy_.on_started();  // the attempt counts
  want(policy_.on_loss(now));
}

void SnapshotPlan::on_missed(TimePoint now) {
  attempts_ = 0;
  if (known_ != Known::nothing) known_ = Known::doubtful;
  want(policy_.on_loss(now));
}

SnapshotPlan::Step SnapshotPlan::on_listed(Outcome outcome, TimePoint now) {
  assert(stage_ == Stage::listing);
  if (outcome == Outcome::complete) interrupted_in_a_row_ = 0;
  if (outcome == Outcome::interrupted) ++interrupted_in_a_row_;
  if (lost_) return again(after_loss_);
  switch (outcome) {
    case Outcome::complete:
      stage_ = Stage::idle;
      known_ = Known::surely;
      return Step::end;
    case Outcome::failed:
      return again(policy_.on_loss(now));
    case Outcome::interrupted:
      break;
  }
  if (known_ == Known::settled) return again(now + settled_pause);
  ++attempts_;
  const bool enough = attempts_ >= most_interrupted || (attempts_ > 1 && now >= first_begin_ + most_patience);
  if (!enough) return again(now);
  stage_ = Stage::asking;
  return Step::ask;
}

SnapshotPlan::Step SnapshotPlan::on_asked(Outcome outcome, TimePoint now) {
  assert(stage_ == Stage::asking);
  attempts_ = 0;
  if (lost_) return again(after_loss_);
  if (outcome != Outcome::complete) return again(policy_.on_loss(now));
  if (known_ == Known::surely) {
    stage_ = Stage::idle;
    interrupted_in_a_row_ = 0;  // no further listing is wanted
  } else {
    known_ = Known::settled;
    want(now + settled_pause);
  }
  return Step::end;
}

std::optional<TimePoint> SnapshotPlan::wanted_at() const noexcept {
  return stage_ == Stage::wanted ? std::optional(wanted_at_) : std::nullopt;
}

}  // namespace portsync::core
