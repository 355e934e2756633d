#include "simulation/sight.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "simulation/renderer.hpp"
#include "torch/frozen_encoder.hpp"

namespace fleet::simulation {
namespace {

constexpr const char* kEncoder = "data.encoder";
constexpr int kMostCameras = 2;

struct SightOptions {
  std::filesystem::path encoder;  ///< FrozenEncoder; empty: policies observe the state
  int size = 128;                 ///< height and width of the pictures
  int cameras = 1;                ///< 2: also Facts::second_camera
  int frames = 1;                 ///< steps, this one and those before, whose pictures are seen
};

/// One for all cells and environments that see alike.
std::shared_ptr<const FrozenEncoder> shared_encoder(const std::filesystem::path& file, int pictures, int size) {
  static std::map<std::tuple<std::filesystem::path, int, int>, std::shared_ptr<const FrozenEncoder>> known;
  std::shared_ptr<const FrozenEncoder>& encoder = known[{file, pictures, size}];
  if (encoder == nullptr) encoder = std::make_shared<const FrozenEncoder>(file, pictures, size, size);
  return encoder;
}

/// What it does it does as the world's environment.
class SeeingEnvironment final : public Environment {
 public:
  SeeingEnvironment(std::shared_ptr<Environment> inner, std::shared_ptr<const FrozenEncoder> encoder,
                    const Facts& world, const SightOptions& options)
      : inner_(std::move(inner)),
        encoder_(std::move(encoder)),
        own_(world.own),
        seen_(static_cast<std::size_t>(options.cameras) * encoder_->features()),
        observation_(own_ + static_cast<std::size_t>(options.frames) * seen_),
        features_(seen_) {
    for (int i = 0; i < options.cameras; ++i) {
      const Camera& camera = i == 0 ? world.camera : *world.second_camera;
      renderers_.push_back(
          std::make_unique<Renderer>(*inner_, camera, options.size, options.size, Renderer::Quality::kPlain));
    }
  }

  int task() const override { return inner_->task(); }
  void reset(const Variation& variation) override {
    inner_->reset(variation);
    look_around();
  }
  Start start() const override { return inner_->start(); }
  void restore(const Start& start) override {
    inner_->restore(start);
    look_around();
  }
  StepResult step(std::span<const float> action) override {
    const StepResult result = inner_->step(action);
    const auto seen = observation_.begin() + static_cast<std::ptrdiff_t>(own_);
    std::shift_right(seen, observation_.end(), static_cast<std::ptrdiff_t>(seen_));
    look();
    return result;
  }
  std::span<const double> observation() const override { return observation_; }
  bool ask_expert(std::span<float> action) override { return inner_->ask_expert(action); }
  std::string why_lost() const override { return inner_->why_lost(); }
  bool delicate() const override { return inner_->delicate(); }
  Physics physics() override { return inner_->physics(); }
  void mark_goal() override { inner_->mark_goal(); }
  void watch_motion(std::function<void()> watch) override { inner_->watch_motion(std::move(watch)); }

 private:
  /// As if it had always looked like this.
  void look_around() {
    Renderer::place(*inner_);
    look();
    const auto newest = observation_.begin() + static_cast<std::ptrdiff_t>(own_);
    for (auto older = newest + static_cast<std::ptrdiff_t>(seen_); older != observation_.end();
         older += static_cast<std::ptrdiff_t>(seen_)) {
      std::copy_n(newest, seen_, older);
    }
  }
  void look() {
    std::copy_n(inner_->observation().begin(), own_, observation_.begin());
    pixels_.clear();
    for (const std::unique_ptr<Renderer>& renderer : renderers_) {
      const Picture& picture = renderer->draw(*inner_);
      pixels_.insert(pixels_.end(), picture.rgb.begin(), picture.rgb.end());
    }
    encoder_->encode(pixels_, features_);
    std::ranges::copy(features_, observation_.begin() + static_cast<std::ptrdiff_t>(own_));
  }

  std::shared_ptr<Environment> inner_;
  std::shared_ptr<const FrozenEncoder> encoder_;
  std::vector<std::unique_ptr<Renderer>> renderers_;  // one a camera
  std::size_t own_;
  std::size_t seen_;  // features of one step
  std::vector<double> observation_;
  std::vector<std::uint8_t> pixels_;
  std::vector<float> features_;
};

class SeenSuite final : public Suite {
 public:
  SeenSuite(std::shared_ptr<const Suite> world, const SightOptions& options)
      : world_(std::move(world)),
        options_(options),
        encoder_(shared_encoder(options.encoder, options.cameras, options.size)),
        facts_(world_->facts()) {
    require(options.cameras == 1 || facts_.second_camera, facts_.title, " has one camera");
    facts_.cloud = {};
    facts_.sizes.observation = facts_.own + static_cast<std::size_t>(options.cameras) *
                                                static_cast<std::size_t>(options.frames) * encoder_->features();
    constexpr std::int64_t kDrawn =
        135'000'000;  // meshes and textures of Meta-World's tasks, as Mesa's software has them
    facts_.task_bytes += options.cameras * kDrawn;  // each camera has its own
    constexpr std::int64_t kEncoding = 87'000'000;  // as measured beside the file's own size
    facts_.rank_bytes += kEncoding + static_cast<std::int64_t>(std::filesystem::file_size(options.encoder));
  }

  const Facts& facts() const override { return facts_; }
  std::span<const Task> tasks() const override { return world_->tasks(); }
  std::span<const TaskSet> task_sets() const override { return world_->task_sets(); }
  Variation draw(int task, RandomStream& stream) const override { return world_->draw(task, stream); }
  std::vector<Variation> benchmark(int task, std::uint32_t seed) const override {
    return world_->benchmark(task, seed);
  }
  std::shared_ptr<Environment> make_environment(int task, Detail /*detail*/) const override {
    return std::make_shared<SeeingEnvironment>(world_->make_environment(task, Detail::kVisual), encoder_, facts_,
                                               options_);
  }
  std::string digest() const override { return cat(world_->digest(), ' ', world_->looks(), ' ', sight()); }
  std::string engine() const override { return cat(world_->engine(), ", drawn by ", drawing_device()); }
  std::string configuration() const override { return cat(world_->configuration(), ' ', sight()); }
  std::string sight() const override {
    return cat("encoder ", encoder_->digest(), ", ", options_.size, " x ", options_.size, " pixels, cameras ",
               options_.cameras, ", frames ", options_.frames);
  }
  std::string recording_options() const override {
    return cat(world_->recording_options(), " --encoder ", options_.encoder.string(), " --images ", options_.size,
               " --cameras ", options_.cameras, " --frames ", options_.frames);
  }

 private:
  std::shared_ptr<const Suite> world_;
  SightOptions options_;
  std::shared_ptr<const FrozenEncoder> encoder_;
  Facts facts_;
};

SightOptions read_sight(SettingsReader& settings) {
  SightOptions options;
  std::string encoder;
  settings.read(kEncoder, encoder,
                "TorchScript file through which policies see pictures; empty: they observe the state.");
  options.encoder = encoder;
  settings.read("data.images", options.size, between(16, 1024), "Height and width of the pictures that are seen.");
  settings.read("data.cameras", options.cameras, between(1, kMostCameras), "Cameras that take the pictures.");
  settings.read("data.frames", options.frames, between(1, 64), "Steps whose pictures policies see at once.");
  if (!encoder.empty()) return options;
  const SightOptions usual;
  for (const auto& [key, chosen, standard] : {std::tuple("data.images", options.size, usual.size),
                                              {"data.cameras", options.cameras, usual.cameras},
                                              {"data.frames", options.frames, usual.frames}}) {
    if (chosen == standard) continue;
    reject(key, settings.resolved().at(key), "policies see pictures only through a data.encoder, and none is named");
  }
  return options;
}

}  // namespace

std::shared_ptr<const Suite> see(SettingsReader& settings, std::shared_ptr<const Suite> world) {
  const SightOptions options = read_sight(settings);
  if (options.encoder.empty()) return world;
  try {
    return std::make_shared<SeenSuite>(std::move(world), options);
  } catch (const Error& error) {
    reject(kEncoder, settings.resolved().at(kEncoder), error.what());
  }
}

}  // namespace fleet::simulation
