// fleet WORLD demos
#include <iostream>
#include <optional>

#include "base/error.hpp"
#include "comm/agreement.hpp"
#include "command/option.hpp"
#include "io/hdf5.hpp"
#include "simulation/command.hpp"
#include "simulation/command_options.hpp"
#include "simulation/minari.hpp"
#include "simulation/recorder.hpp"
#include "torch/runtime.hpp"

namespace fleet::simulation {
namespace {

namespace po = boost::program_options;

constexpr int kEpisodes = 50;

void report(const std::vector<int>& tasks, std::span<const Demonstration> episodes, const std::string& path) {
  std::size_t steps = 0;
  int attempts = 0;
  for (const Demonstration& episode : episodes) {
    steps += episode.steps();
    attempts += episode.attempts;
  }
  std::cout << episodes.size() << " episodes of " << tasks.size() << " tasks, " << steps << " steps, "
            << attempts - static_cast<int>(episodes.size()) << " failures discarded: " << path << std::endl;
}

RecordingOptions recording_options(const OptionsGiven& values) {
  return {.episodes = values["episodes"].as<int>(),
          .noise = values["noise"].as<double>(),
          .seed = static_cast<std::uint64_t>(values["seed"].as<std::int64_t>())};
}

/// What a file of demonstrations says of its making.
std::map<std::string, std::string> provenance_of(const Suite& suite, const std::string& tasks,
                                                 const RecordingOptions& recording) {
  return {{"dataset_id", cat(suite.facts().name, '/', tasks, "/expert-v0")},
          {"engine", suite.engine()},
          {"generator", generator_of(suite.facts())},
          {"noise", cat(recording.noise)},
          {"scenes", suite.digest()},
          {"seed", cat(recording.seed)},
          {"sight", suite.sight()},
          {"tasks", tasks}};
}

}  // namespace

OptionTexts demos_options(const SuiteEntry& world) {
  const std::shared_ptr<const Suite> usual = usual_suite(world);
  OptionTexts options;
  options.add_options()("tasks", po::value<std::string>()->default_value(std::string(usual->facts().default_tasks)),
                        describe_sets(*usual).c_str());
  options.add_options()("episodes", integer(between(1, 1e6), kEpisodes), "successful episodes of each task");
  options.add_options()(
      "noise", number(between(0, 2), 0),
      "largest deviation of what is added to the hand's actions, in units of action; an episode's own is drawn below "
      "it. Where it is not 0, pushes of up to 1 come now and then besides");
  options.add_options()("seed", long_integer(at_least(0), 0), "of what varies, and of noise");
  options.add_options()("output,o", po::value<std::string>()->required(),
                        "file to write, or a folder NAME-v0/ for a dataset that minari.load_dataset opens");
  add_suite_options(options, world);
  return options;
}

int run_demos(const SuiteEntry& world, const Call& call) {
  set_threads(1);  // ranks share the episodes
  const Comm& comm = *call.ranks;
  const RecordingOptions recording = recording_options(call.values);
  const std::string& names = call.get("tasks");
  const std::string& path = call.get("output");
  std::shared_ptr<const Suite> suite;
  std::vector<int> tasks;
  Sizes sizes;
  std::optional<EnvironmentPool> environments;
  comm.together([&] {  // what is missing is found before the work
    suite = make_suite(world, call.values);
    tasks = suite->find_tasks(names);
    sizes = suite->common_sizes(tasks);
    if (comm.is_root()) prepare_demonstrations(path);
    environments.emplace(*suite);
    environments->prepare(tasks);
  });
  require_same(comm, "scenes", identity_of(*suite));
  const DemonstrationSet set{.episodes = record_demonstrations(tasks, recording, *environments, comm),
                             .provenance = provenance_of(*suite, names, recording)};
  comm.together([&] {
    if (!comm.is_root()) return;
    write_recording(path, set, sizes);
    report(tasks, set.episodes, path);
  });
  return 0;
}

}  // namespace fleet::simulation
