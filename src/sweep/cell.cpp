#include "sweep/cell.hpp"

#include <algorithm>
#include <set>
#include <sstream>
#include <unordered_map>

#include "base/error.hpp"
#include "io/hdf5.hpp"
#include "merge/rounds_after.hpp"
#include "merge/shared_part.hpp"
#include "sweep/cell_reader.hpp"
#include "sweep/common_training.hpp"
#include "sweep/key_survey.hpp"
#include "sweep/methods.hpp"
#include "sweep/sweep_name.hpp"

namespace fleet {
namespace {

constexpr std::array<std::pair<std::string_view, SavedModels>, 4> kSavedModels{{{"none", SavedModels::kNone},
                                                                                {"merged", SavedModels::kMerged},
                                                                                {"all", SavedModels::kAll},
                                                                                {"rounds", SavedModels::kRounds}}};

/// Columns of the cells table that are there whether or not they are swept.
constexpr std::array kColumns = {"workload",           "merge.method",       "seed",
                                 "fleet.robots",       "fleet.alpha",        "fleet.partition",
                                 "merge.every_epochs", "merge.participation"};

constexpr std::array<std::pair<std::string_view, bool>, 2> kRetries{{{"never", false}, {"once", true}}};

/// Rejects the value of `key`, or its default, if there is a complaint.
void check(const SettingsReader& settings, std::string_view key, const std::string& complaint) {
  if (!complaint.empty()) reject(key, settings.resolved().find(key)->second, complaint);
}

/// Goes from cell to cell: the base, with the values of a point on the axes.
class Chooser {
 public:
  Chooser(Settings base, std::span<const Axis> axes) : chosen_(std::move(base)), axes_(axes) {
    for (const Axis& axis : axes) {
      std::vector<Value*>& places = places_.emplace_back();
      for (std::size_t k = 0; k < axis.keys.size(); ++k) {
        Setting& setting = chosen_[axis.keys[k]] = {axis.points.front()[k], axis.sources[k]};
        places.push_back(&setting.value);
      }
    }
    last_.resize(axes.size(), 0);
  }

  /// The settings at `point`, whose values `values` become.
  const Settings& choose(const std::vector<std::size_t>& point, AxisValues& values) {
    for (std::size_t a = 0; a < axes_.size(); ++a) {
      const std::vector<Value>& chosen = axes_[a].points[point[a]];
      for (std::size_t k = 0; k < chosen.size(); ++k) {
        if (point[a] != last_[a]) *places_[a][k] = chosen[k];
        values.emplace_back(axes_[a].keys[k], chosen[k]);
      }
    }
    last_ = point;
    return chosen_;
  }

 private:
  Settings chosen_;
  std::span<const Axis> axes_;
  std::vector<std::vector<Value*>> places_;  // in chosen_, [axis][key]
  std::vector<std::size_t> last_;
};

/// What of a configuration is no axis.
Settings base_of(const Settings& settings) {
  Settings base;
  for (const auto& [key, setting] : settings) {
    if (!is_of_axes(key)) base.insert({key, setting});
  }
  return base;
}

/// Rejects axes so long that results have no room for their text, before anything is made of them.
void check_length(const Settings& settings) {
  std::size_t length = 0;
  for (const auto& [key, setting] : settings) {
    if (!is_of_axes(key)) continue;
    length += key.size() + setting.value.to_string().size();
    if (length <= kLongestText) continue;
    reject(key, setting,
           cat("the axes with their values have more than ", kLongestText,
               " characters, which is what results hold of a configuration; several sweeps with fewer "
               "values each will do"));
  }
}

/// Rejects the value by which `cell` is `other` once more, spelt in another way.
void reject_twin(std::span<const Axis> axes, const Cell& other, const Cell& cell) {
  std::size_t place = 0;
  for (const Axis& axis : axes) {
    for (std::size_t k = 0; k < axis.keys.size(); ++k, ++place) {
      const auto& [key, value] = cell.axes[place];
      if (value == other.axes[place].second) continue;
      reject(key, Setting{value, axis.sources[k]},
             cat("that is ", other.axes[place].second.to_string(), ", which stands on the axis already"));
    }
  }
}

/// Every key that some method reads, chosen or not: a table of options may stand ready beside a sweep of methods.
Settings method_settings(const Settings& base) {
  SettingsReader reader(base);
  int rounds = 0;
  for (const MergerEntry& entry : method_table()) (void)make_merger(entry, reader, rounds);
  (void)read_privacy(reader);
  (void)read_parameters(reader);
  FleetOptions ignored;
  read_joint_options(reader, ignored);
  return reader.resolved();
}

/// The sweep as a configuration of its own: base with defaults, then axes and what is left out.
std::string canonical_text(const Sweep& sweep, const Settings& resolved) {
  std::string text = cat("name = ", Value(sweep.name).to_string(), '\n');
  std::set<std::string_view> varied;
  for (const Axis& axis : sweep.axes) varied.insert(axis.keys.begin(), axis.keys.end());
  for (const auto& [key, setting] : resolved) {
    if (key != "name" && !varied.contains(key)) text += cat(key, " = ", setting.value.to_string(), '\n');
  }
  return text + to_text(sweep.axes, sweep.exclusions);
}

/// A configuration's text with a comment above each key that `read` knows the meaning of.
std::string with_comments(const std::string& text, const Settings& read) {
  constexpr std::string_view kAxis = "sweep.grid.";
  std::string commented;
  std::istringstream lines(text);
  bool tables = false;
  for (std::string line; std::getline(lines, line); commented += line + '\n') {
    tables = tables || line.starts_with("[[");
    std::string_view key = std::string_view(line).substr(0, line.find(" = "));
    if (key.starts_with(kAxis)) key.remove_prefix(kAxis.size());
    const auto known = read.find(key);
    if (!tables && known != read.end() && !known->second.about.empty())
      commented += cat("# ", known->second.about, '\n');
  }
  return commented;
}

/// The sweep as text, from what is read of it as a whole and what its cells have `applied`.
void write_texts(Settings whole, Settings applied, Sweep& sweep) {
  whole.insert(applied.begin(), applied.end());
  sweep.resolved = with_comments(canonical_text(sweep, whole), whole);
  // What it is leaves out how it is run, and where its data lie, but not what they are.
  std::set<std::string> digests;
  for (const Cell& cell : sweep.cells) {
    for (const std::string& key : cell.facts.data_keys) applied.erase(key);
    digests.insert(cell.facts.data);
  }
  std::erase_if(applied, [](const auto& setting) { return setting.first.starts_with("run."); });
  sweep.config = canonical_text(sweep, applied);
  for (const std::string& digest : digests) {
    if (!digest.empty()) sweep.config += cat("# of data ", digest, '\n');
  }
}

/// Rejects keys that nothing reads, be they in the base or on an axis.
void check_keys(const Settings& base, std::span<const Axis> axes, const SettingsReader& general,
                const CellReader& cells, std::span<const WorldEntry> table) {
  Settings known = general.resolved();
  known.insert(cells.applied().begin(), cells.applied().end());
  known.merge(method_settings(base));
  Settings written = base;
  for (const Axis& axis : axes) {
    for (std::size_t k = 0; k < axis.keys.size(); ++k) {
      written.insert_or_assign(axis.keys[k], Setting{axis.points.front()[k], axis.sources[k]});
    }
  }
  reject_unknown_keys(written, known, cells.ruled_out(), [&](std::string_view key) {
    const std::vector<SurveyedKey> all = survey_keys(table);
    const auto found = std::ranges::find(all, key, &SurveyedKey::key);
    return found != all.end() ? where_read(*found) : std::string();
  });
}

}  // namespace

std::string Cell::label() const {
  std::string text;
  for (const auto& [key, value] : axes) text += cat(text.empty() ? "" : " ", key, '=', value.to_string());
  return text.empty() ? "the only cell" : text;
}

std::vector<std::pair<std::string, Value>> Cell::columns() const {
  std::vector<std::pair<std::string, Value>> columns;
  const auto add = [&](const std::string& key) {
    const Setting* setting = settings.find(key);
    const bool taken = std::any_of(columns.begin(), columns.end(), [&](const auto& c) { return c.first == key; });
    if (setting != nullptr && !taken) columns.emplace_back(key, setting->value);
  };
  for (const auto& [key, value] : axes) {
    add(key);
    // A key that this cell's method does not read still has its place on the axis.
    if (!settings.contains(key)) columns.emplace_back(key, value);
  }
  for (const char* key : kColumns) add(key);
  return columns;
}

double Cell::cost() const {
  const bool some = fleet.trainees == FleetOptions::Trainees::kParticipants;
  const bool rests = some && find_method(method).regime == Regime::kMerge;
  const double trained = rests ? static_cast<double>(fleet.drawn(fleet.robots)) / fleet.robots : 1.0;
  const double samples = static_cast<double>(std::max<std::int64_t>(facts.train_samples, 1));  // 0: not told
  return trained * samples * fleet.epochs * static_cast<double>(facts.parameters);
}

bool Sweep::asks_for_gpus() const {
  return std::any_of(cells.begin(), cells.end(), [](const Cell& cell) { return cell.facts.gpu; });
}

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

void read_name(SettingsReader& settings, std::string& name) {
  settings.read("name", name, "What the sweep is called; its results go to results/NAME.");
  check(settings, "name", complaint_about_name(name));
}

RunOptions read_run_options(SettingsReader& settings, const std::string& name) {
  constexpr double kMost = 1e6;
  RunOptions options{.output = "results/" + name};
  settings.read("run.output", options.output, "Directory of the sweep; its joined results lie beside it, as DIR.h5.");
  check(settings, "run.output", complaint_about_directory(options.output));
  options.output = without_trailing_slash(options.output);
  settings.read("run.ranks_per_cell", options.ranks_per_cell, between(0, kMost),
                "Ranks that run one cell together; 0: as many as the largest fleet has robots.");
  settings.read("run.threads", options.threads, between(1, 1024), "Threads of each rank.");
  settings.read("run.save_weights", options.save_weights, "Whether the merged weights are kept in the results file.");
  settings.read("run.save_models", options.save_models, Names<SavedModels>(kSavedModels),
                "Which policies are kept as model files, in DIR/models.");
  settings.read("run.checkpoint.every_rounds", options.checkpoint.every_rounds, between(0, kMost),
                "Rounds between checkpoints of a cell; 0: none by rounds.");
  settings.read("run.checkpoint.every_minutes", options.checkpoint.every_minutes, between(0, kMost),
                "Minutes between checkpoints of a cell, within rounds too; 0: none by time.");
  settings.read("run.retry", options.retry_failed, Names<bool>(kRetries),
                "Whether a cell that failed is tried once more, on another group of ranks.");
  settings.read("run.share_training", options.share_training,
                "Whether cells that train alike before their only merge do it once, and the others go on from there.");
  return options;
}

Sweep expand(const Settings& settings, std::string_view default_name, std::span<const WorldEntry> table,
             Worlds& worlds) {
  check_length(settings);
  const Settings base = base_of(settings);
  Sweep sweep{.name = name_from(default_name), .axes = read_axes(settings)};
  sweep.exclusions = read_exclusions(settings, sweep.axes);
  SettingsReader general(base);
  read_name(general, sweep.name);
  sweep.run = read_run_options(general, sweep.name);

  const Grid grid(sweep.axes, sweep.exclusions);
  sweep.left_out = grid.left_out();
  if (grid.cells().empty()) {
    throw ConfigError(cat(sweep.exclusions.front().source.to_string(),
                          ": together the [[sweep.exclude]] tables leave no cell to run"));
  }
  Chooser chooser(base, sweep.axes);
  CellReader reader(table, worlds, sweep.run.share_training);
  std::unordered_map<std::string, std::size_t> places;  // by id
  sweep.cells.reserve(grid.cells().size());
  for (const std::size_t index : grid.cells()) {
    Cell cell;
    const Settings& chosen = chooser.choose(grid.point(index), cell.axes);
    reader.read(chosen, cell);
    const auto [twin, is_new] = places.emplace(cell.id, sweep.cells.size());
    if (!is_new) reject_twin(sweep.axes, sweep.cells[twin->second], cell);
    sweep.cells.push_back(std::move(cell));
  }
  keep_common(sweep.cells);
  check_keys(base, sweep.axes, general, reader, table);
  write_texts(general.resolved(), reader.applied(), sweep);
  if (sweep.config.size() > kLongestText) {
    throw ConfigError(cat("the configuration has ", sweep.config.size(),
                          " characters with its defaults, and results hold ", kLongestText,
                          " of them beside the numbers; several sweeps with fewer values each will do"));
  }
  return sweep;
}

}  // namespace fleet
