#include "io/results.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <set>

#include "base/error.hpp"
#include "io/results_schema.hpp"
#include "io/toml.hpp"

namespace fleet {
namespace {

using Ints = std::vector<std::int32_t>;
using Reals = std::vector<double>;
using Texts = std::vector<std::string>;

/// A table column with the one value of this cell.
Table::Column column_of(const Value& value) {
  struct ToColumn {
    Table::Column operator()(bool b) const { return std::vector<std::int64_t>{b ? 1 : 0}; }
    Table::Column operator()(std::int64_t i) const { return std::vector<std::int64_t>{i}; }
    Table::Column operator()(double d) const { return Reals{d}; }
    Table::Column operator()(const std::string& s) const { return Texts{s}; }
    Table::Column operator()(const Value::List& list) const { return Texts{Value(list).to_string()}; }
  };
  return std::visit(ToColumn{}, value.data);
}

/// What a column takes of phases, each of which has one.
constexpr std::array kSeconds = {
    ColumnOf{"seconds_train", &PhaseSeconds::train}, ColumnOf{"seconds_wait", &PhaseSeconds::wait},
    ColumnOf{"seconds_merge", &PhaseSeconds::merge}, ColumnOf{"seconds_evaluate", &PhaseSeconds::evaluate},
    ColumnOf{"seconds_other", &PhaseSeconds::other}};

/// A part of a round, of which it has many, with its round.
template <class Part>
struct PartOfRound {
  const RoundRecord* round;
  const Part* part;
};

/// Those of all rounds.
template <class Part>
std::vector<PartOfRound<Part>> parts_of(const std::vector<RoundRecord>& rounds, std::vector<Part> RoundRecord::*parts) {
  std::vector<PartOfRound<Part>> all;
  for (const RoundRecord& round : rounds) {
    for (const Part& part : round.*parts) all.push_back({&round, &part});
  }
  return all;
}

/// What a column takes of the round that a part belongs to, and of the part.
constexpr auto of_round = [](auto member) {
  return [member](const auto& row) { return std::invoke(member, *row.round); };
};
constexpr auto of_part = [](auto member) {
  return [member](const auto& row) { return std::invoke(member, *row.part); };
};

/// In a cell's own file, where it is the only one.
constexpr ColumnOf kCell{"cell", [](const auto& /*row*/) { return 0; }};

Table cells_table(const CellRecord& cell) {
  PhaseSeconds sum;
  double seconds = 0.0;
  double processor_seconds = 0.0;
  std::int64_t bytes = 0;
  for (const RoundRecord& round : cell.rounds) {
    for (const auto& phase : kSeconds) {
      sum.*phase.take += round.seconds.*phase.take;
      seconds += round.seconds.*phase.take;
    }
    processor_seconds += round.processor_seconds;
    bytes += static_cast<std::int64_t>(round.bytes_moved);
  }
  Table table;
  table.add("cell", Ints{0});
  table.add("id", Texts{cell.id});
  table.add("status", Texts{cell.reason.empty() ? "done" : "failed"});
  table.add("reason", Texts{cell.reason});
  for (const auto& [key, value] : cell.columns) table.add(key, column_of(value));
  table.add("ranks", Ints{cell.ranks});
  table.add("rounds", Ints{static_cast<std::int32_t>(cell.rounds.size())});
  table.add("seconds_total", Reals{seconds});
  for (const auto& phase : kSeconds) table.add(phase.name, Reals{sum.*phase.take});
  table.add("processor_seconds", Reals{processor_seconds});
  table.add("bytes_moved", std::vector<std::int64_t>{bytes});
  table.add("peak_memory_mib", Reals{cell.peak_memory_mib});
  return table;
}

Table metrics_table(const CellRecord& cell) {
  return tabulate(parts_of(cell.rounds, &RoundRecord::metrics), kCell, ColumnOf{"round", of_round(&RoundRecord::round)},
                  ColumnOf{"epoch", of_round(&RoundRecord::epoch)}, ColumnOf{"robot", of_part(&Metric::robot)},
                  ColumnOf{"split", of_part(&Metric::split)}, ColumnOf{"metric", of_part(&Metric::name)},
                  ColumnOf{"value", of_part(&Metric::value)});
}

Table shards_table(const CellRecord& cell) {
  struct Share {
    int robot, label;
    std::int32_t samples;
  };
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  std::vector<Share> shares;
  for (std::size_t robot = 0; robot < cell.histograms.size(); ++robot) {
    for (std::size_t label = 0; label < cell.histograms[robot].size(); ++label) {
      const auto samples = static_cast<std::int32_t>(std::min(cell.histograms[robot][label], kMost));
      shares.push_back({static_cast<int>(robot), static_cast<int>(label), samples});
    }
  }
  return tabulate(shares, kCell, ColumnOf{"robot", &Share::robot}, ColumnOf{"label", &Share::label},
                  ColumnOf{"samples", &Share::samples});
}

Table rounds_table(const CellRecord& cell) {
  using Row = const RoundRecord&;
  const auto phase = [](std::size_t i) {
    return ColumnOf{kSeconds[i].name, [i](Row round) { return round.seconds.*kSeconds[i].take; }};
  };
  return tabulate(cell.rounds, kCell, ColumnOf{"round", &RoundRecord::round}, ColumnOf{"epoch", &RoundRecord::epoch},
                  ColumnOf{"participants", &RoundRecord::participants}, ColumnOf{"dropped", &RoundRecord::dropped},
                  ColumnOf{"late", &RoundRecord::late}, phase(0), phase(1), phase(2), phase(3), phase(4),
                  ColumnOf{"processor_seconds", &RoundRecord::processor_seconds},
                  ColumnOf{"bytes_moved", &RoundRecord::bytes_moved},
                  ColumnOf{"merge_iterations", &RoundRecord::merge_iterations},
                  ColumnOf{"merge_steps", [](Row round) { return std::int64_t(round.cost.steps); }},
                  ColumnOf{"merge_episodes", [](Row round) { return std::int64_t(round.cost.episodes); }});
}

/// A row a round and kind of numbers.
Table traffic_table(const CellRecord& cell) {
  struct Sent {
    int round;
    std::string_view cargo;
    std::uint64_t sent, received;
  };
  std::vector<Sent> rows;
  for (const RoundRecord& round : cell.rounds) {
    for (std::size_t kind = 0; kind < kCargos.size(); ++kind) {
      const auto& bytes = round.cost.bytes[kind];
      rows.push_back({round.round, kCargos[kind], bytes.sent, bytes.received});
    }
  }
  return tabulate(rows, kCell, ColumnOf{"round", &Sent::round}, ColumnOf{"cargo", &Sent::cargo},
                  ColumnOf{"sent", &Sent::sent}, ColumnOf{"received", &Sent::received});
}

/// Empty where no instrument was on.
Table instruments_table(const CellRecord& cell) {
  return tabulate(
      parts_of(cell.rounds, &RoundRecord::measurements), kCell, ColumnOf{"round", of_round(&RoundRecord::round)},
      ColumnOf{"instrument", of_part(&Measurement::instrument)}, ColumnOf{"subject", of_part(&Measurement::subject)},
      ColumnOf{"split", of_part(&Measurement::split)}, ColumnOf{"metric", of_part(&Measurement::metric)},
      ColumnOf{"robot", of_part(&Measurement::robot)}, ColumnOf{"other", of_part(&Measurement::other)},
      ColumnOf{"at", of_part(&Measurement::at)}, ColumnOf{"value", of_part(&Measurement::value)});
}

void write_weights(Hdf5Writer& file, const CellRecord& cell) {
  if (cell.merged == nullptr) return;
  const std::vector<TensorSpec>& tensors = cell.merged->layout().tensors();
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const std::vector<std::size_t> shape(tensors[t].shape.begin(), tensors[t].shape.end());
    file.write_array("weights/0/" + tensors[t].name, cell.merged->tensor(t), shape);
  }
  file.write_attribute("weights/0", "settings", to_text(cell.settings));
  for (const auto& [robot, element] : cell.elements) {
    for (std::size_t g = 0; g < element.size(); ++g) {
      file.write_array(cat("permutations/0/", robot, '/', cell.symmetry->groups()[g].name),
                       std::span<const std::int32_t>(element[g]), std::array{element[g].size()});
    }
  }
  for (const auto& [robot, bases] : cell.bases) {
    for (std::size_t g = 0; g < bases.size(); ++g) {
      const auto n = static_cast<std::size_t>(bases[g].rows());
      file.write_array(cat("bases/0/", robot, '/', cell.symmetry->groups()[g].name), std::span(bases[g].data(), n * n),
                       std::array{n, n});
    }
  }
}

/// Copies the arrays below group `from` of a cell's file to `to` of the joined one.
template <class Read>
void copy_arrays(const Hdf5Reader& reader, const std::string& from, const std::string& to, Hdf5Writer& writer,
                 Read read) {
  for (const std::string& name : reader.names_in(from)) {
    std::vector<std::size_t> shape;
    const auto values = read(from + "/" + name, shape);
    writer.write_array(to + "/" + name, std::span(values), shape);
  }
}

void copy_weights(const Hdf5Reader& reader, std::size_t index, Hdf5Writer& writer) {
  const auto floats = [&](const std::string& name, std::vector<std::size_t>& shape) {
    return reader.read_floats(name, shape);
  };
  const auto integers = [&](const std::string& name, std::vector<std::size_t>& shape) {
    return reader.read_integers(name, shape);
  };
  copy_arrays(reader, "weights/0", cat("weights/", index), writer, floats);
  if (reader.has_attribute("weights/0", "settings")) {
    writer.write_attribute(cat("weights/", index), "settings", reader.read_text_attribute("weights/0", "settings"));
  }
  for (const std::string& robot : reader.names_in("permutations/0")) {
    copy_arrays(reader, "permutations/0/" + robot, cat("permutations/", index, '/', robot), writer, integers);
  }
  for (const std::string& robot : reader.names_in("bases/0")) {
    copy_arrays(reader, "bases/0/" + robot, cat("bases/", index, '/', robot), writer, floats);
  }
}

const std::vector<std::string> kProvenanceKeys = {"fleet_version", "git_revision", "mpi",     "libtorch",
                                                  "hdf5",          "blas",         "device",  "hosts",
                                                  "command_line",  "started",      "finished"};
constexpr const char* kSettings = "settings";  // attribute of the cells of a cell's file

std::string lines_of(const std::vector<std::string>& texts) {
  std::string lines;
  for (const std::string& text : texts) lines += (lines.empty() ? "" : "\n") + text;
  return lines;
}

Hdf5Reader open_cell(const std::filesystem::path& file) {
  try {
    return Hdf5Reader(file);
  } catch (const Error& error) {
    throw Error(cat(error.what(), "; when it is removed, its cell is run again"));
  }
}

/// The only row of a cell's file. Error where it is of another cell than the file's name says: a copy, which would
/// count as a further seed.
Table read_cell(const Hdf5Reader& file) {
  Table cell = read_cells(file, kCellFileColumns);
  require(cell.rows() == 1, file.path().string(), ": ", kCells, " has ", cell.rows(), " rows; expected one");
  std::string named = file.path().stem().string();
  if (constexpr std::string_view kFailed = ".failed"; named.ends_with(kFailed)) {
    named.resize(named.size() - kFailed.size());
  }
  const std::string& id = cell.column<std::string>("id").front();
  require(id == named, file.path().string(), " is named after the cell ", named, ", but holds ", id,
          "; when it is removed, its cell is run again");
  return cell;
}

/// Appends a part that comes from `file`.
void append(const Table& part, const std::filesystem::path& file, const char* name, Table& table) {
  try {
    table.append(part);
  } catch (const Error& error) {
    throw Error(cat(file.string(), ": ", name, ": ", error.what()));
  }
}

/// Gives each of the `cells`, from the file of the same place, the columns of settings that others have, and the axes.
void fill_columns(std::span<const std::filesystem::path> files, const std::vector<std::string>& axes,
                  std::vector<Table>& cells) {
  std::set<std::string> all(axes.begin(), axes.end());
  for (const Table& cell : cells) {
    for (const auto& [name, column] : cell.columns()) all.insert(name);
  }
  for (std::size_t i = 0; i < cells.size(); ++i) {
    std::set<std::string> lacking = all;
    for (const auto& [name, column] : cells[i].columns()) lacking.erase(name);
    if (lacking.empty()) continue;
    const Hdf5Reader reader(files[i]);
    if (!reader.has_attribute(kCells, kSettings)) continue;  // written by an earlier version
    const Settings settings = parse_toml(reader.read_text_attribute(kCells, kSettings), files[i].string());
    for (const std::string& name : lacking) {
      const auto setting = settings.find(name);
      if (setting != settings.end()) cells[i].add(name, column_of(setting->second.value));
    }
  }
}

bool is_optional(std::string_view table) {
  return table == kInstruments || table == kTraffic;
}

/// Whether the file has the tables of results, and `is_kind` holds.
template <class Check>
bool is_results(const std::filesystem::path& file, Check is_kind) {
  try {
    const Hdf5Reader reader(file, Hdf5Reader::Origin::kAnywhere);
    const auto has = [&](const TableSpec& table) { return is_optional(table.name) || reader.has(table.name); };
    return reader.has_attribute("/", "schema_version") && reader.has(kCells) && std::ranges::all_of(kTables, has) &&
           is_kind(reader);
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

bool is_joined_results(const std::filesystem::path& file) {
  return is_results(file, [](const Hdf5Reader& reader) { return !reader.has_attribute(kCells, kSettings); });
}

bool is_barrier_results(const std::filesystem::path& file) {
  return is_results(file, [](const Hdf5Reader& reader) { return reader.read_text_attribute("/", "name") == kBarrier; });
}

void write_cell_file(const std::filesystem::path& path, const std::string& sweep_name, const std::string& config,
                     const CellRecord& cell, const Provenance& provenance) {
  Hdf5Writer file(path);
  file.write_attribute("/", "schema_version", kResultsSchema);
  file.write_attribute("/", "name", sweep_name);
  file.write_attribute("/", "config", config);
  for (const auto& [key, text] : provenance) file.write_attribute("provenance", key, text);
  file.write_table(kCells, cells_table(cell));
  file.write_attribute(kCells, "axes", lines_of(cell.axes));
  file.write_attribute(kCells, kSettings, to_text(cell.settings));
  file.write_table("metrics", metrics_table(cell));
  file.write_table("shards", shards_table(cell));
  file.write_table("rounds", rounds_table(cell));
  file.write_table(kTraffic, traffic_table(cell));
  const Table instruments = instruments_table(cell);
  if (instruments.rows() > 0) file.write_table(kInstruments, instruments);
  write_weights(file, cell);
  file.commit();
}

void join_cell_files(std::span<const std::filesystem::path> files, const std::string& config,
                     const std::vector<std::string>& axes, const std::filesystem::path& output) {
  require(!files.empty(), "there are no finished cells to collect");
  Hdf5Writer writer(output);
  std::map<std::string, Table> tables;
  std::vector<Table> cells;
  Provenance provenance;
  for (std::size_t index = 0; index < files.size(); ++index) {
    const Hdf5Reader reader = open_cell(files[index]);
    const std::int64_t schema = reader.read_integer_attribute("/", "schema_version");
    require(schema == kResultsSchema, files[index].string(), " has schema version ", schema, "; this program reads ",
            kResultsSchema);
    if (index == 0) {
      writer.write_attribute("/", "schema_version", kResultsSchema);
      writer.write_attribute("/", "name", reader.read_text_attribute("/", "name"));
      writer.write_attribute("/", "config", config);
    }
    const auto number = static_cast<std::int32_t>(index);
    cells.push_back(read_cell(reader));
    cells.back().fill("cell", number);
    for (const TableSpec& table : kTables) {
      if (is_optional(table.name) && !reader.has(table.name)) continue;
      Table part = reader.read_table(table.name, table.columns);
      part.fill("cell", number);
      append(part, files[index], table.name, tables[table.name]);
    }
    for (const std::string& key : kProvenanceKeys) {
      if (key == "device" && !reader.has_attribute("provenance", key)) continue;  // from before there was a choice
      // Cells may come from several runs and versions: every different value is kept, as long as there is room.
      const std::string text = reader.read_text_attribute("provenance", key);
      std::string& all = provenance[key];
      if (key == "started")
        all = all.empty() ? text : std::min(all, text);
      else if (key == "finished")
        all = std::max(all, text);
      else if (all.empty())
        all = text;
      else if (("\n" + all + "\n").find("\n" + text + "\n") == std::string::npos &&
               all.size() + text.size() < kLongestText)
        all += "\n" + text;
    }
    copy_weights(reader, index, writer);
  }
  for (const auto& [key, text] : provenance) writer.write_attribute("provenance", key, text);
  fill_columns(files, axes, cells);
  for (std::size_t i = 0; i < cells.size(); ++i) append(cells[i], files[i], kCells, tables[kCells]);
  for (const auto& [name, table] : tables) writer.write_table(name, table);
  writer.write_attribute(kCells, "axes", lines_of(axes));
  writer.commit();
}

Table read_cells(const Hdf5Reader& file, std::span<const ColumnSpec> wanted) {
  std::vector<ColumnSpec> columns(kCellColumns.begin(), kCellColumns.end());
  columns.insert(columns.end(), wanted.begin(), wanted.end());
  Table cells = file.read_table(kCells, columns);
  require(cells.rows() > 0, file.path().string(), ": ", kCells, " has no rows; expected one for each cell");
  return cells;
}

Table read_metrics(const Hdf5Reader& file, std::size_t cells) {
  Table metrics = file.read_table(kMetrics, kMetricColumns);
  for (const std::int32_t cell : metrics.column<std::int32_t>("cell")) {
    require(std::cmp_greater_equal(cell, 0) && std::cmp_less(cell, cells), file.path().string(), ": ", kMetrics,
            " speaks of cell ", cell, "; expected 0 to ", cells - 1);
  }
  return metrics;
}

}  // namespace fleet
