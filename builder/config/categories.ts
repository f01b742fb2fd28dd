/** Categories of a desktop entry: Desktop Menu Specification 1.1. */
import * as errors from "../errors.ts";

/** Registered categories; those of the first line are main ones, of which an entry needs one. */
const MAIN =
  "AudioVideo Audio Video Development Education Game Graphics Network Office Science Settings System Utility";
const ADDITIONAL = `
  Building Debugger IDE GUIDesigner Profiling RevisionControl Translation Calendar ContactManagement
  Database Dictionary Chart Email Finance FlowChart PDA ProjectManagement Presentation Spreadsheet
  WordProcessor 2DGraphics VectorGraphics RasterGraphics 3DGraphics Scanning OCR Photography
  Publishing Viewer TextTools DesktopSettings HardwareSettings Printing PackageManager Dialup
  InstantMessaging Chat IRCClient Feed FileTransfer HamRadio News P2P RemoteAccess Telephony
  TelephonyTools VideoConference WebBrowser WebDevelopment Midi Mixer Sequencer Tuner TV
  AudioVideoEditing Player Recorder DiscBurning ActionGame AdventureGame ArcadeGame BoardGame
  BlocksGame CardGame KidsGame LogicGame RolePlaying Shooter Simulation SportsGame StrategyGame Art
  Construction Music Languages ArtificialIntelligence Astronomy Biology Chemistry ComputerScience
  DataVisualization Economy Electricity Geography Geology Geoscience History Humanities
  ImageProcessing Literature Maps Math NumericalAnalysis MedicalSoftware Physics Robotics
  Spirituality Sports ParallelComputing Amusement Archiving Compression Electronics Emulator
  Engineering FileTools FileManager TerminalEmulator Filesystem Monitor Security Accessibility
  Calculator Clock TextEditor Documentation Adult Core KDE COSMIC GNOME XFCE DDE GTK Qt Motif Java
  ConsoleOnly Screensaver TrayIcon Applet Shell`;

const words = (text: string) => text.trim().split(/\s+/);

const mainCategories = new Set(words(MAIN));
const registered = new Set([...mainCategories, ...words(ADDITIONAL)]);

/**
 * Checks names of categories: each registered or `X-...`, one of them a main one.
 *
 * @param file the desktop entry; undefined: they are those of an option
 * @throws E_DESKTOP_CATEGORY
 */
export function checkCategories(categories: readonly string[], file?: string): void {
  const unknown = categories.find((name) => !registered.has(name) && !/^X-\S/.test(name));
  if (unknown !== undefined) {
    throw errors.desktopCategory(
      file,
      "a registered category, or one that starts with X-",
      unknown,
    );
  }
  if (!categories.some((name) => mainCategories.has(name))) {
    const list = [...mainCategories].join(", ");
    throw errors.desktopCategory(file, `one of ${list}`, categories.join(";") || "none");
  }
}
