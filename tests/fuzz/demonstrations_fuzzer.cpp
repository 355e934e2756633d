// Whatever a file of demonstrations holds, read_demonstrations gives episodes of the right shapes, or an Error.
#include "base/error.hpp"
#include "fuzz_file.hpp"
#include "hdf5_mutation.hpp"
#include "simulation/demonstrations.hpp"

namespace {

using namespace fleet;
using namespace fleet::simulation;

constexpr Sizes kSizes{.observation = 39, .action = 4};

std::string make_sample() {
  DemonstrationSet set{.provenance = {{"tasks", "reach"}}};
  for (const std::size_t steps : {std::size_t{2}, std::size_t{1}}) {
    Demonstration episode{.task = "reach-v3", .ended = true};
    episode.observations.assign((steps + 1) * kSizes.observation, 0.5F);
    episode.actions.assign(steps * kSizes.action, 0.25F);
    episode.rewards.assign(steps, 1.0F);
    set.episodes.push_back(episode);
  }
  return bytes_made_by([&](const std::filesystem::path& path) { write_demonstrations(path, set, kSizes); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string sample = make_sample();
  FuzzChoices choices(data, size);
  const FuzzFile file(MutatedFile(sample, choices).bytes());
  try {
    for (const Demonstration& episode : read_demonstrations({file.path(), "reach-v3"}, kSizes).episodes) {
      const std::size_t steps = episode.steps();
      const bool fits = steps > 0 && episode.actions.size() == steps * kSizes.action &&
                        episode.observations.size() == (steps + 1) * kSizes.observation && !episode.task.empty();
      if (!fits) __builtin_trap();
    }
  } catch (const Error&) {
    if (size == 0) __builtin_trap();  // the sample itself
  }
  return 0;
}
