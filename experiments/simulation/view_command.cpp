// fleet WORLD view
#include <iostream>

#include "base/error.hpp"
#include "simulation/command.hpp"
#include "simulation/command_options.hpp"
#include "simulation/film.hpp"

namespace fleet::simulation {
namespace {

namespace po = boost::program_options;

constexpr int kPictureSize = 720;

}  // namespace

int view_command(const SuiteEntry& world, const Arguments& arguments) {
  OptionTexts options("Options");
  add_view_options(options);
  options.add_options()("output,o", po::value<std::string>()->required(), "picture to write, NAME.png");
  add_suite_options(options, world);
  const auto values = parse(arguments, options, "TASK", cat("fleet ", world.name, " view TASK -o NAME.png [options]"));
  if (!values) return 0;
  const std::shared_ptr<const Suite> suite = make_suite(world, *values);
  const EpisodeSpec episode = episode_to_view(*suite, *values);
  const std::filesystem::path path = (*values)["output"].as<std::string>();
  require_own_picture(path);
  const std::shared_ptr<Environment> environment = suite->make_environment(episode.task, Suite::Detail::kVisual);
  environment->reset(episode.variation);
  Renderer renderer(*environment, suite->facts().camera, kPictureSize, kPictureSize);
  write_picture(path, renderer.draw(*environment), suite->facts());
  std::cout << path.string() << std::endl;
  return 0;
}

}  // namespace fleet::simulation
