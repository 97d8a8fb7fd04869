// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <portsync/link_source.hpp>
#include <portsync/port_record.hpp>
#include <portsync/state_sink.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

// Fakes of our own interfaces. They are driven by hand: nothing happens without a call of the test.
namespace portsync::test {

inline LinkState make_link(std::int32_t ifindex, std::string name, bool up = true, std::uint32_t mtu = 1500) {
  LinkState link;
  link.ifindex = ifindex;
  link.name = std::move(name);
  link.flags = up ? 0x10041U : 0U;  // IFF_UP | IFF_RUNNING | IFF_LOWER_UP
  link.operstate = up ? OperState::up : OperState::down;
  link.mtu = mtu;
  link.kind = "veth";
  return link;
}

// Returns a projection to two fields, so that a row can be partly right.
inline Projection test_projection() {
  return [](const LinkState& link, PortRecord& record) {
    record.port = link.name;
    record.fields.resize(2);
    record.fields[0] = {"oper", link.running() ? "up" : "down"};
    record.fields[1] = {"mtu", std::to_string(link.mtu.value_or(0))};
  };
}

class FakeSource final : public LinkSource {
 public:
  [[nodiscard]] int fd() const noexcept override { return descriptor; }
  [[nodiscard]] std::error_code process() override { return {}; }
  [[nodiscard]] std::error_code start(Handler handler) override {
    if (handler_) return Errc::already_started;
    handler_ = std::move(handler);
    return start_error;
  }
  [[nodiscard]] std::error_code resync() override {
    ++resyncs;
    return {};
  }
  [[nodiscard]] LinkSourceStatistics statistics() const override { return counted; }

  void change(const LinkState& link, Cause cause = Cause::notified) {
    const auto known = links_.find(link.ifindex);
    const LinkState before = known == links_.end() ? LinkState{} : known->second;
    const LinkState& stored = links_[link.ifindex] = link;
    emit({LinkEvent::Kind::changed, cause, lasting ? &stored : &link, known == links_.end() ? nullptr : &before, now,
          lasting});
  }
  void remove(std::int32_t ifindex, Cause cause = Cause::notified) {
    const auto node = links_.extract(ifindex);
    emit({LinkEvent::Kind::removed, cause, &node.mapped(), &node.mapped(), now});
  }
  void snapshot_begin(Cause cause) { emit({LinkEvent::Kind::snapshot_begin, cause, nullptr, nullptr, now}); }
  void snapshot_end(Cause cause) { emit({LinkEvent::Kind::snapshot_end, cause, nullptr, nullptr, now}); }
  void drained() { emit({LinkEvent::Kind::drained, Cause::notified, nullptr, nullptr, now}); }

  [[nodiscard]] const std::map<std::int32_t, LinkState>& links() const { return links_; }

  TimePoint now;
  bool lasting = false;  // the value of `lasting` in the events
  int resyncs = 0;
  int descriptor = -1;  // for tests that poll fd()
  std::error_code start_error;
  LinkSourceStatistics counted;

 private:
  void emit(const LinkEvent& event) { handler_(event); }

  Handler handler_;
  std::map<std::int32_t, LinkState> links_;
};

// A store that executes its operations in order, one whenever the test calls answer().
class FakeSink final : public StateSink {
 public:
  using Fields = std::map<std::string, std::string>;
  struct Operation {
    enum class Kind { put, erase, read } kind;
    std::string port;
    Fields fields;
    Revision revision = 0;
    Scope scope = Scope::all;
    std::vector<std::string> ports;
    bool whole = false;  // put() without `stored`
    bool flushed = false;
    Fields stored;  // put() with `stored`: its fields
  };

  [[nodiscard]] int fd() const noexcept override { return -1; }
  [[nodiscard]] std::error_code process() override { return {}; }
  [[nodiscard]] std::error_code start(Observer& observer) override {
    observer_ = &observer;
    return {};
  }
  [[nodiscard]] std::error_code read_back(Scope scope, const std::vector<std::string_view>& ports) override {
    if (write_only) return Errc::not_supported;
    if (!open_) return Errc::not_open;
    operations.push_back({Operation::Kind::read, {}, {}, 0, scope, {ports.begin(), ports.end()}, false, true, {}});
    ++reads;
    return {};
  }
  [[nodiscard]] std::error_code put(const PortRecord& record, const PortRecord* stored, Revision revision) override {
    if (!open_) return Errc::not_open;
    if (room() == 0) return Errc::no_room;
    if (put_error) return std::exchange(put_error, {});
    Fields fields;
    for (const Field& field : record.fields) fields[std::string(field.name)] = field.value;
    Fields known;
    if (stored != nullptr) {
      for (const Field& field : stored->fields) known[std::string(field.name)] = field.value;
    }
    operations.push_back(
        {Operation::Kind::put, record.port, fields, revision, {}, {}, stored == nullptr, false, known});
    return {};
  }
  [[nodiscard]] std::error_code erase(std::string_view port, Revision revision) override {
    if (!open_) return Errc::not_open;
    if (room() == 0) return Errc::no_room;
    operations.push_back({Operation::Kind::erase, std::string(port), {}, revision, {}, {}, false, false, {}});
    return {};
  }
  [[nodiscard]] std::error_code flush() override {
    ++flushes;
    for (Operation& operation : operations) operation.flushed = true;
    return {};
  }
  [[nodiscard]] std::size_t room() const noexcept override {
    const auto unanswered = std::count_if(operations.begin(), operations.end(),
                                          [](const Operation& operation) { return operation.revision != 0; });
    return capacity - std::min(capacity, static_cast<std::size_t>(unanswered));
  }
  [[nodiscard]] SinkStatistics statistics() const override { return {}; }

  void open() {
    open_ = true;
    observer_->on_open();
  }
  // Closes the connection. Applies the first `applied` operations without a result, as a lost connection may.
  void close(std::error_code error, std::size_t applied = 0) {
    for (std::size_t i = 0; i < std::min(applied, operations.size()); ++i) apply(operations[i]);
    operations.clear();
    open_ = false;
    observer_->on_closed(error);
  }
  // Executes the oldest operation and reports its result.
  void answer(std::error_code error = {}) {
    const Operation operation = operations.front();
    operations.pop_front();
    if (operation.kind == Operation::Kind::read) {
      if (!error) report_rows(operation);
      observer_->on_read_back(error);
      return;
    }
    if (!error) apply(operation);
    if (auto* erasures = dynamic_cast<ErasureObserver*>(observer_);
        erasures != nullptr && operation.kind == Operation::Kind::erase && !fields_lost.empty()) {
      erasures->on_fields_lost(operation.port, fields_lost);
    }
    observer_->on_result(operation.port, operation.revision, error);
  }
  // Refuses the oldest put() or erase(), but stores a part of it.
  void refuse_in_part(std::error_code error) {
    Operation& operation = operations.front();
    if (operation.kind == Operation::Kind::put) {
      rows[operation.port]["oper"] = operation.fields.at("oper");
    } else if (operation.kind == Operation::Kind::erase && rows.count(operation.port) == 1) {
      rows[operation.port].erase("oper");
      if (rows[operation.port].empty()) rows.erase(operation.port);
    }
    answer(error);
  }
  void answer_all() {
    while (!operations.empty()) answer();
  }
  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] Observer& observer() const { return *observer_; }

  std::deque<Operation> operations;  // without a result yet
  std::map<std::string, Fields> rows;
  std::map<std::string, StoredRow::Owner> owners;  // the owner that a read-back reports for a row
  std::set<std::string> unreadable;                // rows that may not be read
  std::vector<std::string> fields_lost;            // reported with every erase
  std::vector<std::string> log;                    // the applied operations: "put Ethernet0", "erase Ethernet0"
  std::size_t capacity = 1024;
  bool write_only = false;
  std::error_code put_error;  // of the next put()
  int reads = 0;
  int flushes = 0;

 private:
  void apply(const Operation& operation) {
    if (operation.kind == Operation::Kind::put) {
      for (const auto& [name, value] : operation.fields) rows[operation.port][name] = value;
      log.push_back("put " + operation.port);
    } else if (operation.kind == Operation::Kind::erase) {
      rows[operation.port].erase("oper");
      rows[operation.port].erase("mtu");
      if (rows[operation.port].empty()) rows.erase(operation.port);
      log.push_back("erase " + operation.port);
    }
  }
  void report_rows(const Operation& read) {
    for (const auto& [port, fields] : std::map<std::string, Fields>(rows)) {
      const bool listed = std::find(read.ports.begin(), read.ports.end(), port) != read.ports.end();
      if (read.scope == Scope::listed && !listed) continue;
      std::vector<std::pair<std::string_view, std::string_view>> own;
      for (const auto& [name, value] : fields) {
        if (name == "oper" || name == "mtu") own.emplace_back(name, value);
      }
      const auto owner = owners.find(port);
      if (own.empty()) continue;
      if (unreadable.count(port) != 0) {
        own.clear();
        observer_->on_row({port, &own, StoredRow::Owner::unknown, {}, false});
        continue;
      }
      observer_->on_row({port, &own, owner == owners.end() ? StoredRow::Owner::unknown : owner->second});
    }
  }

  Observer* observer_ = nullptr;
  bool open_ = false;
};

}  // namespace portsync::test
