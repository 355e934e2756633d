#include "command/saved_fleet.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "comm/agreement.hpp"
#include "comm/placement.hpp"
#include "train/shared_keys.hpp"

namespace fleet {
namespace {

/// Stands for data that are not there.
class MissingData final : public LocalData {
 public:
  explicit MissingData(std::string complaint) : complaint_(std::move(complaint)) {}
  double loss_gradient(const ParamVector& /*at*/, int /*batch*/, RandomStream& /*stream*/,
                       ParamVector& /*gradient*/) override {
    throw Error(complaint_);
  }
  Score held_out_score(const ParamVector& /*at*/) override { throw Error(complaint_); }
  Score held_out_loss(const ParamVector& /*at*/) override { throw Error(complaint_); }
  MapMoments map_moments(const ParamVector& /*features*/, const ParamVector& /*targets*/,
                         std::size_t /*map*/) override {
    throw Error(complaint_);
  }
  OutputSums output_sums(const ParamVector& /*at*/, std::size_t /*map*/) override { throw Error(complaint_); }
  std::unique_ptr<HeadData> head_data(const ParamVector& /*body*/) override { throw Error(complaint_); }

 private:
  std::string complaint_;
};

std::string complaint(const std::string& wanted_by, const std::filesystem::path& path, const std::string& why) {
  return cat(wanted_by, " needs the data behind ", path.string(), ", which are not there: ", why);
}

/// The world that the settings name; Error if there is none of that name.
World& world_of(const Settings& settings, std::span<const WorldEntry> worlds, Worlds& made) {
  const auto workload = settings.find("workload");
  const auto* named = workload == settings.end() ? nullptr : std::get_if<std::string>(&workload->second.value.data);
  require(named != nullptr, "its settings name no workload");
  const std::string& name = *named;
  for (const WorldEntry& entry : worlds) {
    if (entry.name == name) return *made.try_emplace(name, entry.make()).first->second;
  }
  throw Error(cat("this program has no workload ", name));
}

/// Error unless the data that a model's settings name now are those that it was trained on, by content. Models of
/// before that was noted are taken at their word.
void require_same_data(const std::string& trained_on, const std::string& now) {
  require(trained_on.empty() || trained_on == now,
          "what its settings name now are other data than it was trained on: ", "their digest is ", now, ", and was ",
          trained_on);
}

}  // namespace

SavedFleet::SavedFleet(std::vector<std::filesystem::path> paths, const Settings& overrides,
                       std::span<const WorldEntry> worlds, const Comm& comm) {
  const Placement placement{.robots = static_cast<int>(paths.size()), .ranks = comm.size()};
  begin_ = placement.begin(comm.rank());
  end_ = placement.end(comm.rank());
  comm.together([&] {
    for (std::filesystem::path& path : paths) {
      SavedModel model = read_model(path);
      model.settings.erase("run.device");  // where it was trained
      for (const auto& [key, setting] : overrides) model.settings.insert_or_assign(key, setting);
      entries_.push_back({.path = std::move(path), .model = std::move(model)});
      require_same_network(entries_.front().path, entries_.front().model, entries_.back().path, entries_.back().model);
    }
    sort_robots();
  });
  require_same(comm, "the models that they read", identities());
  load_worlds(worlds, comm);
  make_robots(comm);
}

std::string SavedFleet::identities() const {
  std::string text;
  for (const Entry& entry : entries_) {
    const std::span<const float> weights = entry.model.weights.flat();
    Hash model;
    model.add(to_text(entry.model.settings));
    model.add({reinterpret_cast<const char*>(weights.data()), weights.size_bytes()});  // NOLINT
    text += cat(entry.path.string(), ": ", model.hex(), '\n');
  }
  return text;
}

void SavedFleet::sort_robots() {
  std::set<int> robots;
  const SavedModel& first = entries_.front().model;
  for (const Entry& entry : entries_) {
    const SavedModel& model = entry.model;
    const bool fellow =
        model.round == first.round && model.data == first.data && to_text(model.settings) == to_text(first.settings);
    if (!fellow || !robots.insert(model.robot).second) return;
  }
  std::ranges::sort(entries_, {}, [](const Entry& entry) { return entry.model.robot; });
}

void SavedFleet::load_worlds(std::span<const WorldEntry> worlds, const Comm& comm) {
  std::map<std::string, Entry*> first_of;  // by settings and data: robots of one cell share a workload
  for (Entry& entry : entries_) {
    const std::string cell = cat(to_text(entry.model.settings), entry.model.data);
    const auto [known, is_new] = first_of.try_emplace(cell, &entry);
    if (is_new) {
      World* world = nullptr;
      try {
        comm.together([&] {
          world = &world_of(entry.model.settings, worlds, made_);
          SettingsReader reader(entry.model.settings);
          require_same_data(entry.model.data, world->describe(reader).data);
        });
        const Settings* settings = &entry.model.settings;
        world->load(std::span(&settings, 1), comm);
        comm.together([&] { entry.workload = world->make(*settings); });
      } catch (const Error& error) {  // the same on every rank
        entry.missing = error.what();
      }
    }
    entry.workload = known->second->workload;
    entry.missing = known->second->missing;
  }
}

void SavedFleet::make_robots(const Comm& comm) {
  comm.together([&] {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      Entry& entry = entries_[i];
      if (entry.workload == nullptr) continue;
      require_same_network(entry.path, entry.model, "the network of its settings", entry.workload->symmetry());
      const std::string difference = first_difference(entry.model.companions, entry.workload->companions());
      if (!difference.empty()) {
        entry.missing = cat("what its settings name now are other data than it was trained on: ", difference);
        entry.workload = nullptr;
      } else if (entry.model.robot == kMergedPolicy) {
        entry.missing = "it is a merged policy, which was trained on none of its own";
      } else if (static_cast<int>(i) >= begin_ && static_cast<int>(i) < end_) {
        entry.robot = entry.workload->make_robot(entry.model.robot);
      }
    }
  });
}

MergeInput SavedFleet::input(const std::string& wanted_by) {
  MergeInput input{.symmetry = &entries_.front().model.symmetry, .round = entries_.front().model.round};
  if (has_workload()) input.maps = entries_.front().workload->maps();
  const Settings& settings = entries_.front().model.settings;
  SettingsReader(settings).read("seed", input.seed, about::kSeed);
  input.participants.resize(entries_.size());
  std::iota(input.participants.begin(), input.participants.end(), 0);
  for (int i = begin_; i < end_; ++i) {
    Entry& entry = entries_[static_cast<std::size_t>(i)];
    LocalData* data = entry.robot.get();
    if (data == nullptr && !wanted_by.empty()) {
      entry.stand_in = std::make_unique<MissingData>(complaint(wanted_by, entry.path, entry.missing));
      data = entry.stand_in.get();
    }
    input.rows.push_back({.robot = i,
                          .weights = &entry.model.weights,
                          .samples = static_cast<double>(entry.model.samples),
                          .participates = true,
                          .data = data});
  }
  return input;
}

Workload& SavedFleet::workload(const std::string& wanted_by) {
  const Entry& first = entries_.front();
  if (first.workload == nullptr) throw Error(complaint(wanted_by, first.path, first.missing));
  return *first.workload;
}

}  // namespace fleet
