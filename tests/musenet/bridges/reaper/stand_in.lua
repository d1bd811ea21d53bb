-- A stand-in for REAPER: a project in memory, and the functions that the script calls. Each call is held
-- against its published signature: how many arguments, which types, and what comes back.

local signatures, resource_folder, execute = ...

local TICKS = 960
local IMPLODE = 40543

local P = {
  tracks = {}, selection = { 0, 0 }, bars = {}, ext = {}, undo = {}, boxes = {}, dialogs = {}, keys = {},
  choice = 1, values = nil, clock = 0, blocks = 0, refresh = 0, window = false, deferred = nil, commands = {},
}
local R, G = {}, {}

local function changing()
  assert(P.blocks > 0, "the project is changed outside of an undo block")
end

-- Time: each bar has quarter notes, a meter and a tempo; the last one goes on for ever. --------------

local function bar_with(place, key)
  local last
  for _, bar in ipairs(P.bars) do
    if bar[key] <= place + 1e-9 then last = bar end
  end
  return last or P.bars[1]
end

function R.TimeMap2_QNToTime(_, qn)
  local bar = bar_with(qn, "qn")
  return bar.time + (qn - bar.qn) * 60 / bar.bpm
end

function R.TimeMap2_timeToQN(_, time)
  local bar = bar_with(time, "time")
  return bar.qn + (time - bar.time) * bar.bpm / 60
end

function R.TimeMap_QNToMeasures(_, qn)
  local bar = bar_with(qn, "qn")
  local index = math.floor((qn - bar.qn) / bar.length)
  return bar.number + index, bar.qn + index * bar.length, bar.qn + (index + 1) * bar.length
end

function R.TimeMap_GetTimeSigAtTime(_, time)
  local bar = bar_with(time, "time")
  return bar.beats, bar.unit, bar.bpm * bar.unit / 4
end

-- Tracks, items, takes ---------------------------------------------------------------------------

local function new_take(item, name)
  return {
    kind = "MediaItem_Take", item = item, name = name, origin = item.first, notes = {}, ccs = {}, texts = {},
    sorted = true, length = item.last - item.first, offset = 0, midi = true,
  }
end

local function new_item(track, first, last)
  local item = { kind = "MediaItem", track = track, first = first, last = last, selected = false, takes = {}, active = 1,
    loops = false, muted = false }
  track.items[#track.items + 1] = item
  return item
end

local function all_items()
  local found = {}
  for _, track in ipairs(P.tracks) do
    for _, item in ipairs(track.items) do found[#found + 1] = item end
  end
  return found
end

function R.CountTracks() return #P.tracks end
function R.GetTrack(_, index) return P.tracks[index + 1] end
function R.CountMediaItems() return #all_items() end
function R.GetMediaItem(_, index) return all_items()[index + 1] end
function R.IsMediaItemSelected(item) return item.selected end
function R.GetMediaItem_Track(item) return item.track end
function R.CountTakes(item) return #item.takes end
function R.GetMediaItemTake(item, index) return item.takes[index + 1] end
function R.GetActiveTake(item) return item.takes[item.active] end
function R.TakeIsMIDI(take) return take.midi end
function R.GetMediaItemTake_Source(take) return { kind = "PCM_source", take = take } end
function R.GetMediaSourceLength(source) return source.take.length, true end

function R.GetSelectedMediaItem(_, index)
  for _, item in ipairs(all_items()) do
    if item.selected then
      if index == 0 then return item end
      index = index - 1
    end
  end
  return nil
end

function R.SelectAllMediaItems(_, selected)
  changing()
  for _, item in ipairs(all_items()) do item.selected = selected end
end

function R.SetMediaItemSelected(item, selected)
  changing()
  item.selected = selected
end

function R.SetActiveTake(take)
  changing()
  for index, each in ipairs(take.item.takes) do
    if each == take then take.item.active = index end
  end
end

function R.GetMediaItemInfo_Value(item, name)
  if name == "D_POSITION" then return R.TimeMap2_QNToTime(0, item.first) end
  if name == "D_LENGTH" then return R.TimeMap2_QNToTime(0, item.last) - R.TimeMap2_QNToTime(0, item.first) end
  if name == "B_LOOPSRC" then return item.loops and 1.0 or 0.0 end
  if name == "B_MUTE" then return item.muted and 1.0 or 0.0 end
  error("no such value of an item: " .. name)
end

function R.GetMediaItemTakeInfo_Value(take, name)
  if name == "D_STARTOFFS" then return take.offset end
  if name == "D_PLAYRATE" then return 1.0 end
  error("no such value of a take: " .. name)
end

function R.GetMediaTrackInfo_Value(track, name)
  if name == "B_MUTE" then return track.muted and 1.0 or 0.0 end
  assert(name == "IP_TRACKNUMBER", "no such value of a track: " .. name)
  for index, each in ipairs(P.tracks) do
    if each == track then return index + 0.0 end
  end
end

local function named(thing, name, text, set)
  assert(name == "P_NAME", "no such text: " .. name)
  if set then
    changing()
    thing.name = text
  end
  return true, thing.name
end

R.GetSetMediaTrackInfo_String, R.GetSetMediaItemTakeInfo_String = named, named

function R.InsertTrackAtIndex(index)
  changing()
  table.insert(P.tracks, index + 1, { kind = "MediaTrack", name = "", items = {}, muted = false })
end

function R.CreateNewMIDIItemInProj(track, start, stop, quarters)
  changing()
  assert(stop > start, "an item without length")
  local first = quarters and start or R.TimeMap2_timeToQN(0, start)
  local last = quarters and stop or R.TimeMap2_timeToQN(0, stop)
  local item = new_item(track, first, last)
  item.takes[1] = new_take(item, "")
  return item
end

-- Take: Implode items on same track into takes: of each track, into the first of its selected items.
function R.Main_OnCommand(command)
  changing()
  assert(command == IMPLODE, "no such command")
  for _, track in ipairs(P.tracks) do
    local first, kept = nil, {}
    for _, item in ipairs(track.items) do
      if not item.selected or not first then
        kept[#kept + 1] = item
        if item.selected then first = item end
      else
        assert(math.abs(item.first - first.first) < 1e-6 and math.abs(item.last - first.last) < 1e-6, "another place")
        for _, take in ipairs(item.takes) do
          take.item = first
          first.takes[#first.takes + 1] = take
        end
        item.gone = true
      end
    end
    track.items = kept
  end
end

function R.ValidatePtr2(_, pointer, kind)
  return pointer.kind .. "*" == kind and not pointer.gone
end

-- MIDI -------------------------------------------------------------------------------------------

function R.MIDI_GetProjQNFromPPQPos(take, ppq) return take.origin + ppq / TICKS end
function R.MIDI_GetPPQPosFromProjQN(take, qn) return (qn - take.origin) * TICKS end

local function whole(number) return math.floor(number + 0.5) end

function R.MIDI_CountEvts(take)
  assert(take.sorted, "MIDI_Sort is missing")
  return #take.notes + #take.ccs + #take.texts, #take.notes, #take.ccs, #take.texts
end

function R.MIDI_GetNote(take, index)
  assert(take.sorted, "MIDI_Sort is missing")
  local n = assert(take.notes[index + 1], "no such note")
  return true, false, n.muted, n.from + 0.0, n.to + 0.0, n.channel, n.pitch, n.velocity
end

function R.MIDI_InsertNote(take, _, muted, from, to, channel, pitch, velocity, unsorted)
  changing()
  assert(from >= -0.5 and to > from and channel < 16 and pitch < 128 and velocity > 0 and velocity < 128, "no note")
  table.insert(take.notes, { muted = muted, from = whole(from), to = whole(to), channel = channel, pitch = pitch,
    velocity = velocity })
  take.sorted = not unsorted
  return true
end

function R.MIDI_Sort(take)
  changing()
  table.sort(take.notes, function(one, other)
    if one.from ~= other.from then return one.from < other.from end
    return one.pitch < other.pitch
  end)
  take.sorted = true
end

function R.MIDI_GetCC(take, index)
  local c = assert(take.ccs[index + 1], "no such event")
  return true, false, c.muted, c.at + 0.0, c.message, c.channel, c.second, c.third
end

function R.MIDI_InsertCC(take, _, muted, at, message, channel, second, third)
  changing()
  table.insert(take.ccs, { muted = muted, at = whole(at), message = message, channel = channel, second = second, third = third })
  return true
end

function R.MIDI_GetTextSysexEvt(take, index)
  local t = assert(take.texts[index + 1], "no such event")
  return true, false, t.muted, t.at + 0.0, t.type, t.bytes
end

function R.MIDI_InsertTextSysexEvt(take, _, muted, at, kind, bytes)
  changing()
  table.insert(take.texts, { muted = muted, at = whole(at), type = kind, bytes = bytes })
  return true
end

-- Undo, windows, files ---------------------------------------------------------------------------

local function copied(value, seen)
  if type(value) ~= "table" then return value end
  if seen[value] then return seen[value] end
  local copy = {}
  seen[value] = copy
  for key, each in pairs(value) do copy[copied(key, seen)] = copied(each, seen) end
  return copy
end

function R.Undo_BeginBlock2()
  P.blocks = P.blocks + 1
  P.before = copied(P.tracks, {})
end

function R.Undo_EndBlock2(_, label)
  P.blocks = P.blocks - 1
  P.undo[#P.undo + 1] = { label = label, tracks = P.before }
end

function R.Undo_DoUndo2()
  P.tracks = table.remove(P.undo).tracks
  return 1
end

function R.PreventUIRefresh(count) P.refresh = P.refresh + count end
function R.UpdateArrange() P.updated = true end
function R.ShowMessageBox(text) P.boxes[#P.boxes + 1] = text return 1 end
function R.GetSet_LoopTimeRange2(_, set)
  assert(not set, "the time selection is changed")
  return P.selection[1], P.selection[2]
end

function R.GetUserInputs(title, count, captions, values)
  P.dialogs[#P.dialogs + 1] = { title = title, count = count, captions = captions, values = values }
  if P.values == false then return false, values end
  return true, P.values or values
end

function R.GetExtState(section, key) return P.ext[section .. "/" .. key] or "" end
function R.HasExtState(section, key) return P.ext[section .. "/" .. key] ~= nil end
function R.SetExtState(section, key, value) P.ext[section .. "/" .. key] = value end
function R.GetResourcePath() return resource_folder end
function R.RecursiveCreateDirectory(path) return execute("mkdir", path) end
function R.genGuid() return "{5EB09D2C-0000-4B00-8000-00805F9B34FB}" end
function R.time_precise() return P.clock + 0.0 end
function R.defer(later) P.deferred = later return true end

function R.ExecProcess(line, timeout)
  assert(timeout == -2, "REAPER would stand still")
  P.commands[#P.commands + 1] = line
  execute("run", line)
  return "0\n"
end

function G.init() P.window = true return 1 end
function G.quit() P.window = false return 0 end
function G.showmenu() return P.choice end
function G.getchar()
  assert(P.window, "no window is open")
  return table.remove(P.keys, 1) or 0
end
function G.set() return 0 end
function G.drawstr(text) P.drawn = text end
function G.update() end

-- Signatures -------------------------------------------------------------------------------------

local function typed(list)
  local found = {}
  for each in list:gmatch("[^,]+") do
    local words = {}
    for word in each:gmatch("%S+") do words[#words + 1] = word end
    local optional = words[1] == "optional"
    if optional then table.remove(words, 1) end
    found[#found + 1] = { type = words[1], optional = optional }
  end
  return found
end

local function fits(value, kind)
  if kind == "integer" then return math.type(value) == "integer" end
  if kind == "number" or kind == "boolean" or kind == "string" or kind == "function" then return type(value) == kind end
  if kind == "ReaProject" then return value == 0 or value == nil end
  if kind == "identifier" then return type(value) == "table" end
  return type(value) == "table" and value.kind == kind and not value.gone
end

local function check(name, what, expected, ...)
  local count, least = select("#", ...), 0
  for index, each in ipairs(expected) do
    if not each.optional then least = index end
  end
  assert(count >= least and count <= #expected, name .. ": " .. count .. " " .. what .. ", not " .. #expected)
  for index = 1, count do
    local value, each = (select(index, ...)), expected[index]
    local missing = value == nil and (each.optional or what == "results" and each.type:match("^Media"))
    assert(missing or fits(value, each.type), name .. ": " .. what .. " " .. index .. " is no " .. each.type)
  end
  return ...
end

local api = { reaper = {}, gfx = { x = 0, y = 0 } }
local known = { reaper = R, gfx = G }
for line in signatures:gmatch("[^\n]+") do
  local results, library, name, arguments = line:match("^(.-)%s*=?%s*(%a+)%.([%w_]+)%((.*)%)$")
  if library and not line:match("^#") then
    local inputs, outputs, call = typed(arguments), typed(results), known[library][name]
    assert(call, "the stand-in lacks " .. name)
    api[library][name] = function(...)
      check(name, "arguments", inputs, ...)
      return check(name, "results", outputs, call(...))
    end
  end
end
local missing = { __index = function(_, name) error("no function that REAPER publishes: " .. name) end }
setmetatable(api.reaper, missing)

-- What the tests do ------------------------------------------------------------------------------

local T = { project = P, api = api }

function T.add_bars(count, beats, unit, bpm)
  for _ = 1, count do
    local last = P.bars[#P.bars]
    P.bars[#P.bars + 1] = {
      number = #P.bars + 1, beats = beats, unit = unit, bpm = bpm, length = 4 * beats / unit,
      qn = last and last.qn + last.length or 0, time = last and last.time + last.length * 60 / last.bpm or 0,
    }
  end
end

function T.select(first, last) P.selection = { R.TimeMap2_QNToTime(0, first), R.TimeMap2_QNToTime(0, last) } end

function T.add_track(name, muted)
  P.tracks[#P.tracks + 1] = { kind = "MediaTrack", name = name, items = {}, muted = muted }
end

function T.add_item(track, first, last, selected)
  local item = new_item(P.tracks[track + 1], first, last)
  item.selected = selected
  item.takes[1] = new_take(item, "played")
  return item
end

function T.add_note(item, start, stop, channel, pitch, velocity, muted)
  table.insert(item.takes[1].notes, { from = whole((start - item.takes[1].origin) * TICKS),
    to = whole((stop - item.takes[1].origin) * TICKS), channel = channel, pitch = pitch, velocity = velocity, muted = muted })
end

function T.add_cc(item, at, message, channel, second, third)
  table.insert(item.takes[1].ccs, { at = whole((at - item.first) * TICKS), message = message, channel = channel,
    second = second, third = third, muted = false })
end

function T.add_text(item, at, kind, bytes)
  table.insert(item.takes[1].texts, { at = whole((at - item.first) * TICKS), type = kind, bytes = bytes, muted = false })
end

-- The project as lines: tracks, items, takes (`*` plays), notes.
function T.dump()
  local lines = {}
  local function line(...) lines[#lines + 1] = string.format(...) end
  for _, track in ipairs(P.tracks) do
    line("track %s", track.name)
    for _, item in ipairs(track.items) do
      line(" item %g-%g%s", item.first, item.last, item.selected and " selected" or "")
      for index, take in ipairs(item.takes) do
        line("  take %s%s", take.name, index == item.active and " *" or "")
        for _, n in ipairs(take.notes) do
          line("   note %g-%g %d %d %d%s", take.origin + n.from / TICKS, take.origin + n.to / TICKS, n.channel, n.pitch,
            n.velocity, n.muted and " muted" or "")
        end
        for _, c in ipairs(take.ccs) do line("   cc %g %d %d %d %d", take.origin + c.at / TICKS, c.message, c.channel, c.second, c.third) end
        for _, t in ipairs(take.texts) do line("   text %g %d %s", take.origin + t.at / TICKS, t.type, t.bytes) end
      end
    end
  end
  return table.concat(lines, "\n")
end

-- One turn of REAPER's main loop, a second later; false if nothing is left to do.
function T.turn()
  local later = P.deferred
  P.deferred, P.clock = nil, P.clock + 1
  if later then later() end
  return P.deferred ~= nil
end

function T.state()
  return P.blocks == 0 and P.refresh == 0 and not P.window
end

return T
