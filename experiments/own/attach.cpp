#include "own/attach.hpp"

#include <fcntl.h>

#include <charconv>
#include <numeric>
#include <optional>

#include "base/error.hpp"
#include "command/option.hpp"
#include "external/conversation.hpp"
#include "external/workload.hpp"
#include "instruments/interpolation.hpp"
#include "io/toml.hpp"
#include "own/world.hpp"
#include "sweep/methods.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

constexpr const char* kPolicies = "the policies that were handed over";

/// Policies of another process, on this one rank.
class AttachedFleet {
 public:
  AttachedFleet(const std::shared_ptr<Conversation>& talk, int robots)
      : request_{.settings = Json::object(), .robots = robots}, facts_(describe_external(*talk, request_)) {
    workload_ = make_external_workload(talk, facts_, request_);
    for (int i = 0; i < robots; ++i) {
      robots_.emplace_back(workload_->make_robot(i), workload_->symmetry().layout(), workload_->optimizer());
    }
  }

  [[nodiscard]] MergeInput input() const {
    MergeInput input{.symmetry = &workload_->symmetry(), .maps = workload_->maps(), .round = 1};
    for (std::size_t i = 0; i < robots_.size(); ++i) {
      const int robot = static_cast<int>(i);
      input.participants.push_back(robot);
      input.rows.push_back({.robot = robot,
                            .weights = &robots_[i].weights,
                            .samples = static_cast<double>(robots_[i].robot->samples()),
                            .participates = true,
                            .data = robots_[i].robot.get()});
    }
    return input;
  }
  [[nodiscard]] Workload& workload() const { return *workload_; }

  /// ConfigError unless the method finds what it needs.
  void require_met(const std::string& method, const MergerNeeds& needs) const {
    const std::span<const AffineMap> maps = workload_->maps();
    const CellFacts facts{.maps = std::make_shared<const std::vector<AffineMap>>(maps.begin(), maps.end()),
                          .symmetry = kind_of(workload_->symmetry()),
                          .offers = facts_.offers};
    const Questions missing = needs.asks.without(facts_.offers);
    if (!missing.to_string().empty()) {
      throw ConfigError(cat("method ", method, " asks for ", missing.to_string(), ": it needs data and a loss"));
    }
    const std::string why = obstacle(facts, needs, kPolicies);
    if (!why.empty()) throw ConfigError(cat("method ", method, ": ", why));
  }

 private:
  ExternalRequest request_;
  ExternalFacts facts_;
  std::unique_ptr<Workload> workload_;
  std::vector<AwakeRobot> robots_;
};

/// The method's options, by their own names, as settings of a configuration.
Settings options_of(const Answer& task, const std::string& method) {
  Settings settings;
  for (const auto& [name, value] : task.at("options").items()) {
    const std::string key = cat("merge.", method, '.', name);
    Settings one;
    one.insert(parse_override(cat(key, '=', value.is_string() ? value.get<std::string>() : value.dump())));
    settings.merge(one);
  }
  return settings;
}

std::unique_ptr<Merger> make_method(const Answer& task, const std::string& name) {
  const Settings options = options_of(task, name);
  const MergerEntry& entry = find_method(name);
  SettingsReader reader(options);
  std::unique_ptr<Merger> merger = entry.make(reader);
  if (merger == nullptr) throw ConfigError(cat("method ", name, " merges nothing"));
  reject_unknown_keys(options, reader.resolved());
  return merger;
}

void merge(Conversation& talk, const Answer& task, const AttachedFleet& fleet, const Comm& world) {
  const std::string name = task.text("method");
  const std::unique_ptr<Merger> merger = make_method(task, name);
  fleet.require_met(name, merger->needs());
  const MergeOutcome outcome = merger->merge(fleet.input(), world);
  const std::span<const float> merged = outcome.merged.flat();
  const Place place(talk.memory(), merged.size_bytes());
  std::ranges::copy(merged, place.values<float>(merged.size()).begin());
  talk.ask("result", {{"merged", place.offset()},
                      {"iterations", outcome.iterations},
                      {"objective", outcome.objective},
                      {"elements", outcome.elements}});
}

void compare(Conversation& talk, const Answer& task, const AttachedFleet& fleet, const Comm& world) {
  std::vector<PairAlignment> alignments{PairAlignment::kNone};
  if (task.text("align") == name_of(PairAlignment::kGitRebasin)) {
    alignments.push_back(PairAlignment::kGitRebasin);
  } else if (task.text("align") != name_of(PairAlignment::kNone)) {
    throw ConfigError(cat("align = \"", task.text("align"), "\": expected none or git-rebasin"));
  }
  const MergeInput input = fleet.input();
  const Judge judge(fleet.workload(), input, world);
  const auto points = static_cast<int>(task.whole("points", 2, 100'000));
  Json rows = Json::array();
  for (const Measurement& row : pairwise_barriers(input, alignments, {}, points, judge, world)) {
    rows.push_back(
        {{"instrument", row.instrument}, {"subject", row.subject}, {"metric", row.metric}, {"value", row.value}});
  }
  talk.ask("result", {{"measured", std::move(rows)}});
}

int attach(const Call& call) {
  const Comm& world = *call.ranks;
  if (world.size() > 1) throw ConfigError("fleet attach runs on one rank");
  const Arguments& numbers = call.get<Arguments>("DESCRIPTOR");
  if (numbers.size() != 2) throw ConfigError("expected two descriptors, those of a socket and of shared memory");
  const auto descriptor = [&](std::size_t i) {
    const std::string& text = numbers[i];
    int number = -1;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc() || end != text.data() + text.size() || ::fcntl(number, F_GETFD) < 0) {
      throw ConfigError(cat(text, " is no descriptor of an open file; fleet.merge in Python starts this command"));
    }
    return Descriptor(number);
  };
  const auto talk = std::make_shared<Conversation>(descriptor(0), descriptor(1), call.get<double>("time-limit"));
  const Answer task = talk->ask("task");
  const AttachedFleet fleet(talk, static_cast<int>(task.whole("robots", 1, 1'000'000)));
  if (task.text("task") == "merge") {
    merge(*talk, task, fleet, world);
  } else if (task.text("task") == "barrier") {
    compare(*talk, task, fleet, world);
  } else {
    task.reject(cat("\"task\" is \"", task.text("task"), "\", expected merge or barrier"));
  }
  return 0;
}

po::options_description options() {
  po::options_description options("Options");
  options.add_options()("time-limit", number(between(0.01, 1e7), 600.0), "seconds for one answer");
  return options;
}

}  // namespace

Command attach_command() {
  return {.name = "attach",
          .summary = "merge the policies of the process that starts it: fleet attach SOCKET MEMORY",
          .usage = "SOCKET MEMORY",
          .operand = {.name = "DESCRIPTOR", .many = true},
          .options = options,
          .run = attach,
          .on_ranks = true,
          .computes = true};
}

}  // namespace fleet
