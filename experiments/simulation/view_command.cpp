// fleet WORLD view
#include <iostream>

#include "command/option.hpp"
#include "simulation/command.hpp"
#include "simulation/command_options.hpp"
#include "simulation/film.hpp"

namespace fleet::simulation {
namespace {

constexpr int kViewSize = 720;

}  // namespace

OptionTexts view_options(const SuiteEntry& world) {
  OptionTexts options;
  options.add_options()("output,o", boost::program_options::value<std::string>()->required(),
                        "picture to write, NAME.png");
  options.add_options()("distance", number(between(0.05, 100), usual_suite(world)->facts().camera.distance),
                        "of the camera from what it looks at, in metres");
  add_view_options(options);
  add_suite_options(options, world);
  return options;
}

int run_view(const SuiteEntry& world, const Call& call) {
  const std::shared_ptr<const Suite> suite = make_suite(world, call.values);
  const EpisodeSpec episode = episode_to_view(*suite, call.values);
  const std::filesystem::path path = call.get("output");
  require_own_picture(path);
  const std::shared_ptr<Environment> environment = suite->make_environment(episode.task, Suite::Detail::kVisual);
  environment->reset(episode.variation);
  Camera camera = suite->facts().camera;
  camera.distance = call.values["distance"].as<double>();
  Renderer renderer(*environment, camera, kViewSize, kViewSize);
  Renderer::place(*environment);
  write_picture(path, renderer.draw(*environment), suite->facts());
  std::cout << path.string() << std::endl;
  return 0;
}

}  // namespace fleet::simulation
