#include "locomotion/suite.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "data/fetch.hpp"
#include "locomotion/environment.hpp"

namespace fleet::locomotion {
namespace {

namespace fs = std::filesystem;
using simulation::Facts;
using simulation::Suite;

constexpr std::string_view kName = "locomotion";
const Facts kFacts{.name = kName,
                   .title = "locomotion",
                   .task_suffix = "",
                   .default_tasks = "hopper",
                   .score = Facts::Score::kReward,
                   .body = kFactors,
                   .disturbed = 1,
                   .pictures_per_second = 20,
                   .camera = {.look_at = {0, 0, 0.7}, .distance = 4, .azimuth = 90, .elevation = -12, .follows = true},
                   .task_bytes = 3'000'000};

class Locomotion final : public Suite {
 public:
  Locomotion(fs::path folder, Version version) : folder_(std::move(folder)), version_(version) {
    for (const Body& body : body_table()) {
      tasks_.push_back({.name = std::string(body.name),
                        .steps = kSteps,
                        .sizes = sizes_of(body, version),
                        .random = body.random,
                        .expert = body.expert});
    }
  }

  const Facts& facts() const override { return kFacts; }
  std::span<const simulation::Task> tasks() const override { return tasks_; }
  std::span<const simulation::TaskSet> task_sets() const override { return {}; }

  simulation::Variation draw(int task, RandomStream& stream) const override {
    const Body& body = body_of(task);
    simulation::Variation variation;
    const auto uniform = [&] { return body.noise * (2 * stream.uniform() - 1); };
    for (int i = 0; i < body.positions; ++i) variation.push_back(uniform());
    for (int i = 0; i < body.speeds; ++i) {
      variation.push_back(body.normal_speeds ? body.noise * stream.normal() : uniform());
    }
    variation.insert(variation.end(), kFactors, 1.0);
    return variation;
  }

  std::shared_ptr<simulation::Environment> make_environment(int task, Detail /*detail*/) const override {
    return std::make_shared<Environment>(task, body_of(task), version_, read(body_of(task)));
  }

  std::string digest() const override {
    Hash digest;
    for (const Body& body : body_table()) {
      const fs::path file = file_of(body);
      std::ifstream in(file, std::ios::binary);
      const std::string bytes(std::istreambuf_iterator<char>(in), {});
      require(in.is_open() && !in.bad(), file.string(), " cannot be read; `fleet data fetch locomotion` fetches it");
      digest.add(bytes);
    }
    return digest.add(static_cast<int>(version_)).hex();
  }
  std::string engine() const override { return simulation::engine_version(); }
  std::string configuration() const override { return cat(folder_.string(), ' ', static_cast<int>(version_)); }

 private:
  static const Body& body_of(int task) { return body_table()[static_cast<std::size_t>(task)]; }

  fs::path file_of(const Body& body) const { return folder_ / (version_ == Version::kV5 ? body.scene_v5 : body.scene); }

  simulation::ModelPointer read(const Body& body) const {
    simulation::install_engine_hooks();
    const fs::path file = file_of(body);
    require(fs::exists(file), "there is no file ", file.string(), "; `fleet data fetch locomotion` fetches it");
    std::array<char, 1024> reason{};
    simulation::ModelPointer model(mj_loadXML(file.c_str(), nullptr, reason.data(), reason.size()));
    require(model != nullptr, file.string(), ": ", reason.data());
    const bool is_body = model->nq == body.positions && model->nv == body.speeds && model->nu == body.motors &&
                         model->nbody == body.parts;
    require(is_body, file.string(), " is not the scene of ", body.name, " that gymnasium 1.4 has; `fleet data fetch ",
            kName, "` fetches it");
    return model;
  }

  fs::path folder_;
  Version version_;
  std::vector<simulation::Task> tasks_;
};

/// Where gymnasium's scenes lie.
fs::path default_assets() {
  const char* const chosen = std::getenv("LOCOMOTION_ASSETS");
  return chosen != nullptr && *chosen != '\0' ? fs::path(chosen) : default_data_directory() / kName;
}

std::shared_ptr<const Suite> make(SettingsReader& settings, const fs::path& files) {
  constexpr std::array<std::pair<std::string_view, Version>, 2> kVersions = {
      {{"v4", Version::kV4}, {"v5", Version::kV5}}};
  Version version = Version::kV4;
  settings.read("data.version", version, Names<Version>(kVersions),
                "Version of gymnasium's environments: v4 as D4RL's data, v5 as Minari's.");
  return std::make_shared<Locomotion>(files.empty() ? default_assets() : files, version);
}

}  // namespace

const simulation::SuiteEntry& suite_entry() {
  static constexpr std::array kOptions = {
      simulation::SuiteOption{"version", "data.version", "of gymnasium's environments: v4 or v5"},
      simulation::SuiteOption{"assets", nullptr, "folder of gymnasium's scenes; $LOCOMOTION_ASSETS by default"}};
  static const simulation::SuiteEntry kEntry{.name = kName, .online = true, .options = kOptions, .make = make};
  return kEntry;
}

}  // namespace fleet::locomotion
