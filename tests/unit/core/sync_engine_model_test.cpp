// SPDX-License-Identifier: Apache-2.0
// Tests the engine with every order of actions of two links, their source, a sink and the clock, up to a depth. Checks
// the invariants after each step. Checks for each reached state that, once the trouble ends, the store equals the
// links.
//
// PORTSYNC_MODEL_DEPTH is added to the depths, and may be negative.
#define BOOST_TEST_MODULE sync_engine_model
#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/sync_engine.hpp"
#include "support/cpp/fakes.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;

namespace {

// Actions of the kernel change its links first, and are reported at once unless messages are being lost.
enum class Action : std::uint8_t {
  mtu_1,
  mtu_2,
  exists_1,
  exists_2,
  rename_1,
  swap,  // toggles
  drained,
  lose,  // from now on no change is reported
  relist_1,
  relist_2,  // a snapshot's replies, in either order
  snapshot_end,
  opens,
  closes,
  closes_late,  // closes: no operation under way is stored; closes_late: the first one is
  answer,
  try_again,
  refuse,
  late_answer,  // the reply to a write whose connection was lost
  wait,         // until the engine's deadline
  row_deleted,
  row_edited,  // by another program
  audit,
  count,
};

constexpr std::array<std::string_view, static_cast<std::size_t>(Action::count)> action_names{
    "mtu_1",    "mtu_2",       "exists_1",     "exists_2",    "rename_1",   "swap",        "drained", "lose",
    "relist_1", "relist_2",    "snapshot_end", "opens",       "closes",     "closes_late", "answer",  "try_again",
    "refuse",   "late_answer", "wait",         "row_deleted", "row_edited", "audit"};

using Path = std::vector<Action>;

std::string text(const Path& path) {
  std::string all;
  for (const Action action : path)
    all += (all.empty() ? "" : " ") + std::string(action_names.at(static_cast<std::size_t>(action)));
  return all;
}

struct Variant {
  bool replace_on_new_ifindex = false;
  bool cramped = false;  // room for one row at a time, and a queue of one
  bool write_only = false;
  bool fresh = false;  // newly started: no snapshot yet, the sink is closed, and only the row of the first link exists
};

using Rows = std::map<std::string, FakeSink::Fields>;

std::string text(const Rows& rows) {
  std::string all;
  for (const auto& [port, fields] : rows) {
    all += port;
    for (const auto& [name, value] : fields) all += " " + name + "=" + value;
    all += "; ";
  }
  return all;
}

const Rows foreign{{"Ethernet0.10", {{"oper", "up"}}}, {"PortChannel1", {{"mtu", "1"}}}};

// A violated invariant. It is an exception, so that a path ends where it failed.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void require(bool right, const std::string& what) {
  if (!right) throw Wrong(what);
}

class World {
 public:
  // Synchronized with both links, unless it is fresh. The row of the first also has a field of another program.
  explicit World(const Variant& variant) : variant_(variant), engine_(source_, options(variant)) {
    sink_.rows = foreign;
    sink_.rows["Ethernet0"] = {{"speed", "100"}};
    sink_.write_only = variant.write_only;
    if (variant.cramped) sink_.capacity = 1;
    engine_.add_sink(sink_, test_projection(), "sink");
    set_now(1h);
    require(!engine_.start(now_), "start");
    kernel_ = {{second_index, make_link(second_index, "Ethernet4")}};
    if (variant.fresh) {
      sink_.rows["Ethernet0"] = {{"speed", "100"}, {"oper", "up"}, {"mtu", "1500"}};
      losing_ = true;
      return;
    }
    kernel_[first_index_] = make_link(first_index_, "Ethernet0");
    report_differences(Cause::initial);
    end_snapshot();
    sink_.open();
    settle();
  }

  [[nodiscard]] bool enabled(Action action) const {
    switch (action) {
      case Action::mtu_1:
        return first();
      case Action::mtu_2:
        return second();
      case Action::exists_1:
        return first() || !named("Ethernet0");
      case Action::exists_2:
        return second() || !named("Ethernet4");
      case Action::rename_1:
        return first() && (kernel_.at(first_index_).name != "away" || !named("Ethernet0"));
      case Action::swap:
        return first() && second();
      case Action::drained:
        return !drained_;
      case Action::lose:
        return !losing_;
      case Action::relist_1:
        return losing_ && differs(first_index_);
      case Action::relist_2:
        return losing_ && differs(second_index);
      case Action::snapshot_end:
        return losing_ && !differs(first_index_) && !differs(second_index) && !differs(other_first_index());
      case Action::opens:
        return !sink_.is_open();
      case Action::closes:
        return sink_.is_open();
      case Action::closes_late:
        return sink_.is_open() && !sink_.operations.empty() && sink_.operations.front().revision != 0;
      case Action::answer:
        return !sink_.operations.empty();
      case Action::try_again:
        return !sink_.operations.empty() && sink_.operations.front().revision != 0;
      case Action::refuse:
        return !sink_.operations.empty();
      case Action::late_answer:
        return lost_.has_value();
      case Action::wait:
        return engine_.deadline().has_value();
      case Action::row_deleted:
      case Action::row_edited:
        return !variant_.write_only && sink_.rows.count("Ethernet0") == 1 &&
               sink_.rows.at("Ethernet0").count("mtu") == 1;
      case Action::audit:
      case Action::count:
        break;
    }
    return true;
  }

  void take(Action action) {
    drained_ = drained_ && action > Action::drained;
    act(action);
    engine_.run();
    check();
  }

  // Ends the trouble: reports the lost changes, opens the sink, completes its operations, and lets time pass as far as
  // a retry needs it.
  void end_trouble() {
    report_differences(Cause::resync);
    if (losing_) end_snapshot();
    source_.drained();
    if (!sink_.is_open()) sink_.open();
    settle();
    if (meddled_) {
      require(!engine_.audit(Scope::all), "audit");
      settle();
    }
    if (matched_) check_equal();  // otherwise the engine leaves rows alone
    const std::size_t written = sink_.log.size();
    settle();
    require(sink_.log.size() == written, "writes go on when all is equal");
  }

 private:
  static constexpr std::int32_t second_index = 2;

  static SynchronizerOptions options(const Variant& variant) {
    SynchronizerOptions options;
    options.replace_on_new_ifindex = variant.replace_on_new_ifindex;
    if (variant.cramped) options.max_event_queue = 1;
    options.retry_interval = 100ms;
    options.audit_interval = 0ms;
    return options;
  }

  void set_now(std::chrono::nanoseconds now) {
    now_ = TimePoint(now);
    source_.now = now_;
    engine_.set_now(now_);
  }

  [[nodiscard]] bool exists(std::int32_t ifindex) const { return kernel_.count(ifindex) == 1; }
  [[nodiscard]] bool first() const { return exists(first_index_); }
  [[nodiscard]] bool second() const { return exists(second_index); }
  // Returns the next ifindex of the first link. It gets another one each time it is created.
  [[nodiscard]] std::int32_t other_first_index() const { return first_index_ == 1 ? 11 : 1; }
  [[nodiscard]] bool named(const std::string& name) const {
    return std::any_of(kernel_.begin(), kernel_.end(), [&name](const auto& each) { return each.second.name == name; });
  }
  [[nodiscard]] bool differs(std::int32_t ifindex) const {
    const auto reported = source_.links().find(ifindex);
    const auto is = kernel_.find(ifindex);
    if (is == kernel_.end() || reported == source_.links().end()) {
      return exists(ifindex) != (reported != source_.links().end());
    }
    return is->second != reported->second;
  }

  void report(std::int32_t ifindex, Cause cause) {
    if (!differs(ifindex)) return;
    if (exists(ifindex)) {
      matched_ = matched_ || PortFilter{}.matches(kernel_.at(ifindex));
      source_.change(kernel_.at(ifindex), cause);
    } else {
      source_.remove(ifindex, cause);
    }
  }
  void report_differences(Cause cause) {
    for (const std::int32_t ifindex : {second_index, 1, 11}) report(ifindex, cause);
  }
  void end_snapshot() {
    losing_ = false;
    source_.snapshot_end(std::exchange(snapshot_reported_, true) ? Cause::resync : Cause::initial);
  }
  void changed(std::int32_t ifindex) {
    if (!losing_) report(ifindex, Cause::notified);
  }

  void toggle_mtu(std::int32_t ifindex) {
    kernel_[ifindex].mtu = kernel_[ifindex].mtu == 1500U ? 9000U : 1500U;
    changed(ifindex);
  }
  void toggle(std::int32_t& ifindex, const std::string& name) {
    if (kernel_.erase(ifindex) == 1) return changed(ifindex);
    if (ifindex != second_index) ifindex = other_first_index();
    kernel_[ifindex] = make_link(ifindex, name);
    changed(ifindex);
  }
  void rename(std::int32_t ifindex, const std::string& name) {
    kernel_[ifindex].name = name;
    changed(ifindex);
  }
  void swap() {
    const std::string one = kernel_.at(first_index_).name;
    const std::string other = kernel_.at(second_index).name;
    rename(first_index_, "swapping");
    rename(second_index, one);
    rename(first_index_, other);
  }

  void close(std::size_t applied) {
    if (!sink_.operations.empty() && sink_.operations.front().revision != 0) lost_ = sink_.operations.front();
    sink_.close({ECONNRESET, std::system_category()}, applied);
  }

  void act(Action action) {
    std::int32_t second_is = second_index;
    switch (action) {
      case Action::mtu_1:
        return toggle_mtu(first_index_);
      case Action::mtu_2:
        return toggle_mtu(second_index);
      case Action::exists_1:
        return toggle(first_index_, "Ethernet0");
      case Action::exists_2:
        return toggle(second_is, "Ethernet4");
      case Action::rename_1:
        return rename(first_index_, kernel_.at(first_index_).name == "away" ? "Ethernet0" : "away");
      case Action::swap:
        return swap();
      case Action::drained:
        drained_ = true;
        return source_.drained();
      case Action::lose:
        losing_ = true;
        return source_.snapshot_begin(Cause::resync);
      case Action::relist_1:
        return report(first_index_, Cause::resync);
      case Action::relist_2:
        return report(second_index, Cause::resync);
      case Action::snapshot_end:
        return end_snapshot();
      case Action::opens:
        return sink_.open();
      case Action::closes:
        return close(0);
      case Action::closes_late:
        return close(1);
      case Action::answer:
        in_part_.erase(sink_.operations.front().port);
        return sink_.answer();
      case Action::try_again:
        return sink_.answer(Errc::try_again);
      case Action::refuse:
        in_part_.insert(sink_.operations.front().port);
        return sink_.refuse_in_part({ENOSPC, std::system_category()});
      case Action::late_answer:
        return sink_.observer().on_result(lost_->port, lost_->revision, {});
      case Action::wait:
        return set_now(std::max(now_, *engine_.deadline()).time_since_epoch());
      case Action::row_deleted:
        meddled_ = true;
        sink_.rows["Ethernet0"] = {{"speed", "100"}};
        return;
      case Action::row_edited:
        meddled_ = true;
        sink_.rows["Ethernet0"]["mtu"] = "68";
        return;
      case Action::audit:
        return require(!engine_.audit(Scope::listed), "audit");
      case Action::count:
        return;
    }
  }

  // Checks the invariants that hold after every step.
  void check() {
    check_foreign();
    std::map<std::string, int> on_their_way;
    for (const FakeSink::Operation& operation : sink_.operations) {
      if (operation.revision == 0) continue;
      require(operation.flushed, "a batch was not sent");
      require(++on_their_way[operation.port] == 1, "two writes of " + operation.port + " on their way");
      if (operation.revision > judged_) judge(operation);
    }
    if (!sink_.operations.empty()) judged_ = std::max(judged_, sink_.operations.back().revision);
    check_waiting();
  }

  // Checks a write that the engine has sent in the last step.
  void judge(const FakeSink::Operation& operation) const {
    require(PortFilter{}.matches_name(operation.port), "a write of " + operation.port);
    for (const auto& [name, value] : operation.fields) {
      require(name == "oper" || name == "mtu", "a write of field " + name);
    }
    // In these cases the engine does not know the stored row.
    if (meddled_ || variant_.write_only || in_part_.count(operation.port) == 1) return;
    const FakeSink::Fields own = own_fields(operation.port);
    if (operation.kind == FakeSink::Operation::Kind::erase) {
      require(!own.empty(), "a removal of " + operation.port + ", which is not stored");
    } else {
      require(operation.fields != own, "a write of " + operation.port + ", which is stored like that");
      require(operation.whole == own.empty(), "what the sink was told about the stored row of " + operation.port);
      require(operation.whole || operation.stored == own, "the row believed to be stored of " + operation.port);
    }
  }

  // Checks that each waiting row is under way, or that a time for it is set.
  void check_waiting() {
    require(engine_.statistics().pending <= 6, "more waits than there are names");
    if (!snapshot_reported_ || !sink_.is_open() || engine_.drained() || !sink_.operations.empty()) return;
    const auto deadline = engine_.deadline();
    require(deadline.has_value(), "something waits for nothing");
    require(*deadline <= now_ + 1s, "something waits for longer than a retry");
  }

  void check_foreign() const {
    for (const auto& [port, fields] : foreign) require(sink_.rows.at(port) == fields, "the row " + port);
    require(sink_.rows.at("Ethernet0").at("speed") == "100", "a field of another writer");
  }

  [[nodiscard]] FakeSink::Fields own_fields(const std::string& port) const {
    const auto it = sink_.rows.find(port);
    FakeSink::Fields own = it == sink_.rows.end() ? FakeSink::Fields{} : it->second;
    own.erase("speed");
    return own;
  }

  void settle() {
    constexpr int enough = 40;
    for (int i = 0; i < enough; ++i) {
      engine_.run();
      check();
      if (!sink_.operations.empty()) {
        sink_.answer_all();
      } else if (!engine_.deadline()) {
        require(engine_.drained() && engine_.statistics().pending == 0, "something waits for nothing");
        return;
      } else {
        set_now(std::max(now_, *engine_.deadline()).time_since_epoch());
      }
    }
    throw Wrong("it does not come to rest");
  }

  void check_equal() const {
    Rows wanted;
    for (const auto& [ifindex, link] : kernel_) {
      if (PortFilter{}.matches(link)) wanted[link.name] = {{"oper", "up"}, {"mtu", std::to_string(*link.mtu)}};
    }
    Rows own;
    for (const auto& [port, fields] : sink_.rows) {
      if (const auto some = own_fields(port); foreign.count(port) == 0 && !some.empty()) own[port] = some;
    }
    require(own == wanted, "stored: " + text(own) + "wanted: " + text(wanted));
  }

  Variant variant_;
  TimePoint now_;
  FakeSource source_;
  FakeSink sink_;
  core::SyncEngine engine_;
  std::map<std::int32_t, LinkState> kernel_;
  std::int32_t first_index_ = 1;
  std::optional<FakeSink::Operation> lost_;
  Revision judged_ = 0;
  bool losing_ = false;
  bool drained_ = true;
  bool meddled_ = false;
  std::set<std::string> in_part_;   // ports whose last write was refused and stored in part
  bool matched_ = false;            // the source has reported a link that is a port
  bool snapshot_reported_ = false;  // the first snapshot was reported
};

// Walks every path of these actions, depth first. Each path begins at the start, because a world cannot be copied.
class Search {
 public:
  Search(const Variant& variant, const Path& alphabet) : variant_(variant), alphabet_(alphabet) {}

  // Returns the number of states. Fails with the shortest path to a violation.
  std::size_t run(std::size_t depth) {
    try {
      visit(depth);
    } catch (const Wrong&) {
      for (std::size_t shorter = 0; shorter <= depth; ++shorter) visit_or_fail(shorter);
    }
    return states_;
  }

 private:
  void visit(std::size_t depth) {
    ++states_;
    World world(variant_);
    for (const Action action : path_) world.take(action);
    Path next;
    for (const Action action : alphabet_) {
      if (depth > 0 && world.enabled(action)) next.push_back(action);
    }
    world.end_trouble();
    for (const Action action : next) {
      path_.push_back(action);
      visit(depth - 1);
      path_.pop_back();
    }
  }

  void visit_or_fail(std::size_t depth) {
    path_.clear();
    try {
      visit(depth);
    } catch (const Wrong& wrong) {
      BOOST_FAIL(wrong.what() << "\nafter: " << text(path_) << "\nreplace " << variant_.replace_on_new_ifindex
                              << " cramped " << variant_.cramped << " write-only " << variant_.write_only << " fresh "
                              << variant_.fresh);
    }
  }

  const Variant& variant_;
  const Path& alphabet_;
  Path path_;
  std::size_t states_ = 0;
};

// Sanitizers make a step thirty times as slow. Without them the same code is searched deeper.
constexpr int sanitized_less = PORTSYNC_SANITIZED ? 2 : 0;

std::size_t depth(int usual) {
  const char* more = std::getenv("PORTSYNC_MODEL_DEPTH");
  return static_cast<std::size_t>(std::max(1, usual - sanitized_less + (more == nullptr ? 0 : std::atoi(more))));
}

const std::vector<Variant> synchronized{{}, {true, false, false}, {false, true, false}, {false, false, true}};
const std::vector<Variant> fresh{{false, false, false, true}, {false, true, false, true}};

void search(const std::vector<Variant>& variants, const Path& alphabet, int usual_depth) {
  std::size_t states = 0;
  for (const Variant& variant : variants) states += Search(variant, alphabet).run(depth(usual_depth));
  std::printf("%zu states to depth %zu\n", states, depth(usual_depth));
}

using enum Action;

Path everything() {
  Path all;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) all.push_back(static_cast<Action>(i));
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(names_that_move_between_links) {
  search(synchronized, {mtu_1, exists_1, exists_2, rename_1, swap, drained, answer}, 6);
}

BOOST_AUTO_TEST_CASE(losses_and_snapshots) {
  search(synchronized, {exists_1, rename_1, swap, lose, relist_1, relist_2, snapshot_end, drained, answer}, 7);
}

BOOST_AUTO_TEST_CASE(answers_late_lost_and_bad) {
  search(synchronized,
         {mtu_1, exists_1, drained, opens, closes, closes_late, answer, try_again, refuse, late_answer, wait}, 7);
}

BOOST_AUTO_TEST_CASE(rows_that_others_change) {
  search(synchronized, {mtu_1, exists_1, drained, opens, closes, answer, row_deleted, row_edited, audit, wait}, 5);
}

BOOST_AUTO_TEST_CASE(the_start) {
  search(fresh, {exists_1, mtu_1, snapshot_end, relist_1, relist_2, drained, opens, closes, closes_late, answer, wait},
         7);
}

BOOST_AUTO_TEST_CASE(everything_together) {
  search(synchronized, everything(), 4);
  search(fresh, everything(), 4);
}

BOOST_AUTO_TEST_CASE(the_start_without_a_port) {
  search(fresh, {exists_1, exists_2, snapshot_end, relist_2, drained, opens, closes, answer, wait}, 6);
}
