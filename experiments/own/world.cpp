#include "own/world.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "base/error.hpp"
#include "external/options.hpp"
#include "external/workload.hpp"
#include "io/network_file.hpp"
#include "own/attach.hpp"
#include "train/shared_keys.hpp"

namespace fleet {
namespace {

constexpr std::string_view kTable = "external";
constexpr std::array<std::string_view, 2> kInitializations = {"different", "common"};
constexpr std::array<std::string_view, 2> kDevices = {"cpu", "cuda"};

/// What one cell asks for.
struct Options {
  ExternalOptions program;
  ExternalRequest request;
};

Options read_options(SettingsReader& settings) {
  Options options{.program = read_external_options(settings, kTable), .request = {}};
  ExternalRequest& request = options.request;
  request.settings = options.program.settings;
  settings.read("fleet.robots", request.robots, between(1, 1e6), about::kRobots);
  settings.read("seed", request.seed, about::kSeed);
  std::string initialization(kInitializations.front());
  settings.read("fleet.initialization", initialization, kInitializations, about::kInitialization);
  request.common_initialization = initialization == "common";
  const Settings merge = settings.table("merge");  // which the fleet reads
  const auto moments = merge.find("moments");
  request.moments = moments != merge.end() && !(moments->second.value == Value(std::string("reset")));
  settings.read("run.device", request.device, kDevices, about::kDevice);
  for (const char* key : {"train.batch_size", "train.optimizer", "train.learning_rate", "train.schedule",
                          "train.weight_decay", "train.momentum", "train.clip_norm", "model.kind"}) {
    settings.rule_out(key,
                      "workloads of this program read it; how a program of your own trains is among its own "
                      "settings, below [external.settings]");
  }
  return options;
}

class External final : public World {
 public:
  CellFacts describe(SettingsReader& settings) override {
    const Options options = read_options(settings);
    require_command(options.program, settings, kTable);
    const Known& known = asking(settings, kTable, [&]() -> const Known& { return known_of(options); });
    asking(settings, kTable, [&] { accept_settings(settings, kTable, known.facts.settings); });
    const ExternalFacts& facts = known.facts;
    return {.parameters = static_cast<std::int64_t>(known.layout->size()),
            .layout = known.layout,
            .maps = known.maps,
            .train_samples = facts.samples,
            .symmetry = known.symmetry,
            .offers = facts.offers,
            .joint = facts.joint,
            .moments = facts.carries,
            .savable = facts.states,
            .held_out = facts.finetune,
            .gpu = options.request.device == "cuda",
            .robot_bytes = facts.robot_bytes,
            .data = facts.identity};
  }

  /// Without the program, whose settings nobody else knows.
  void survey(SettingsReader& settings) override { (void)read_options(settings); }

  /// Programs have their data themselves.
  void load(std::span<const Settings* const> /*cells*/, const Comm& /*run*/) override {}

  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    const Options options = read_options(settings);
    const ExternalFacts& facts = known_of(options).facts;
    return make_external_workload(conversation(options.program), facts, options.request);
  }

 private:
  /// What a program says of its world for some settings.
  struct Known {
    ExternalFacts facts;
    std::shared_ptr<const ParamLayout> layout;
    GroupKind symmetry;
    std::shared_ptr<const std::vector<AffineMap>> maps;
  };

  const Known& known_of(const Options& options) {
    const std::string key = cat(options.program.key(), '\n', options.request.settings.dump(), '\n',
                                options.request.robots, ' ', options.request.device);
    const auto known = known_.find(key);
    if (known != known_.end()) return known->second;
    ExternalFacts facts = describe_external(*conversation(options.program), options.request);
    NetworkFile network = parse_network(facts.network, "the network that the program describes");
    return known_
        .emplace(key, Known{.facts = std::move(facts),
                            .layout = network.symmetry.layout(),
                            .symmetry = kind_of(network.symmetry),
                            .maps = std::make_shared<const std::vector<AffineMap>>(std::move(network.maps))})
        .first->second;
  }

  /// With the program, which serves all cells that name it; started anew if it has come to an end.
  std::shared_ptr<Conversation> conversation(const ExternalOptions& program) {
    std::shared_ptr<Conversation>& talk = talks_[program.key()];
    if (talk == nullptr || !talk->is_open()) talk = std::make_shared<Conversation>(program.child, program.time_limit);
    return talk;
  }

  std::map<std::string, std::shared_ptr<Conversation>> talks_;
  std::map<std::string, Known> known_;
};

std::span<const Command> commands() {
  static const std::array kCommands = {attach_command()};
  return kCommands;
}

constexpr std::string_view kStart = R"(
# The program: docs/own_fleet.md shows one of thirty lines.
[external]
command = ["python3", "my_fleet.py"]

[fleet]
robots = 5

[train]
epochs = 10

[merge]
every_epochs = 1

# Every combination of these is a cell. Settings of the program are axes too: external.settings.NAME.
[sweep.grid]
merge.method = ["average", "git-rebasin", "regression"]
seed = [0, 1]
)";

}  // namespace

GroupKind kind_of(const SymmetrySpec& symmetry) {
  if (symmetry.groups().empty()) return GroupKind::kPermutation;
  return std::ranges::min(symmetry.groups(), {}, &SymmetryGroup::kind).kind;
}

WorldEntry own_world() {
  return {.name = "external",
          .summary = "a fleet of your own: robots that live in a program of yours",
          .make = []() -> std::unique_ptr<World> { return std::make_unique<External>(); },
          .commands = commands,
          .start = kStart};
}

}  // namespace fleet
