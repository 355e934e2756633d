// fleet WORLD demos
#include <iostream>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "comm/agreement.hpp"
#include "io/hdf5.hpp"
#include "simulation/command.hpp"
#include "simulation/command_options.hpp"
#include "simulation/minari.hpp"
#include "simulation/recorder.hpp"

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

/// ConfigError if something else than demonstrations of this program is there; Error if nothing can be written.
void prepare_output(const std::string& path) {
  if (names_minari_dataset(path)) {
    prepare_minari_dataset(path);
  } else {
    require_replaceable(path, kDemonstrationsFile);
    Hdf5Writer{path};
  }
}

RecordingOptions recording_options(const OptionValues& values) {
  const RecordingOptions recording{
      .episodes = positive(values, "episodes"),
      .noise = values["noise"].as<double>(),
      .seed = static_cast<std::uint64_t>(seed_of(values, std::numeric_limits<std::int64_t>::max()))};
  if (!(recording.noise >= 0 && recording.noise <= 2)) {
    throw ConfigError(cat("--noise ", recording.noise, ": expected 0 to 2"));
  }
  return recording;
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
          {"tasks", tasks}};
}

}  // namespace

int demos_command(const SuiteEntry& world, const Arguments& arguments) {
  const std::shared_ptr<const Suite> usual = usual_suite(world);
  const Facts& facts = usual->facts();
  OptionTexts options("Options");
  options.add_options()("tasks", po::value<std::string>()->default_value(std::string(facts.default_tasks)),
                        describe_sets(*usual).c_str());
  options.add_options()("episodes", po::value<int>()->default_value(kEpisodes), "successful episodes of each task");
  options.add_options()(
      "noise", po::value<double>()->default_value(0),
      "largest deviation of what is added to the hand's actions, in units of action; an episode's own is drawn below "
      "it. Where it is not 0, pushes of up to 1 come now and then besides");
  options.add_options()("seed", po::value<std::int64_t>()->default_value(0), "of what varies, and of noise");
  options.add_options()("output,o", po::value<std::string>()->required(),
                        "file to write, or a folder NAME-v0/ for a dataset that minari.load_dataset opens");
  add_suite_options(options, world);
  return on_ranks(arguments, [&](const Comm& comm) {
    const auto values =
        parse(arguments, options, nullptr, cat("[mpirun -n RANKS] fleet ", facts.name, " demos -o FILE [options]"));
    if (!values) return 0;
    const RecordingOptions recording = recording_options(*values);
    const std::string names = (*values)["tasks"].as<std::string>();
    const std::string path = (*values)["output"].as<std::string>();
    std::shared_ptr<const Suite> suite;
    std::vector<int> tasks;
    std::optional<EnvironmentPool> environments;
    comm.together([&] {  // what is missing is found before the work
      suite = make_suite(world, *values);
      tasks = suite->find_tasks(names);
      if (comm.is_root()) prepare_output(path);
      environments.emplace(*suite);
      environments->prepare(tasks);
    });
    require_same(comm, "scenes", identity_of(*suite));
    const DemonstrationSet set{.episodes = record_demonstrations(tasks, recording, *environments, comm),
                               .provenance = provenance_of(*suite, names, recording)};
    comm.together([&] {
      if (!comm.is_root()) return;
      if (names_minari_dataset(path)) {
        write_minari_dataset(path, set, suite->facts().sizes);
      } else {
        write_demonstrations(path, set, suite->facts().sizes);
      }
      report(tasks, set.episodes, path);
    });
    return 0;
  });
}

}  // namespace fleet::simulation
