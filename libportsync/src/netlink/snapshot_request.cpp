// SPDX-License-Identifier: Apache-2.0
#include "netlink/snapshot_request.hpp"

namespace portsync::netlink {

void SnapshotRequest::ask_about(std::vector<std::int32_t> ifindexes) {
  query_->ask_about(std::move(ifindexes));
  replies_.clear();
  next_ = 0;
  read_ahead();
}

void SnapshotRequest::read_ahead() {
  spare_.clear();
  thread_.start([query = query_, replies = std::move(spare_)]() mutable {
    query->read(replies);
    return std::move(replies);
  });
}

// Fetches the next replies after all previous ones were processed, and lets the thread read on meanwhile.
SnapshotRequest::Status SnapshotRequest::take_replies() {
  switch (replies_.status) {
    case Replies::Status::complete:
      return Status::complete;
    case Replies::Status::interrupted:
      return Status::interrupted;
    case Replies::Status::failed:
      return Status::failed;
    case Replies::Status::more:
      break;
  }
  if (!thread_.finished()) return Status::waiting;
  spare_ = std::exchange(replies_, thread_.take());
  next_ = 0;
  foreign_ += replies_.foreign;
  if (replies_.status == Replies::Status::more) read_ahead();
  return next_ < replies_.size() ? Status::more : take_replies();
}

}  // namespace portsync::netlink
