//! Why an encrypted replica does not open, in Chinese; the core says it in English.

use outrider_core::{keys::KeyStoreError, store::SealError};

/// The words, with what to do.
pub(super) fn in_chinese(error: &SealError) -> String {
    match error {
        SealError::Key(KeyStoreError::Locked { place }) => {
            format!("{place} 中的密钥当前已锁定；请解锁设备后重试，没有作任何更改")
        }
        SealError::Key(KeyStoreError::Damaged { place }) => {
            format!("{place} 中的内容不是密钥；请放回您保存的副本，没有作任何更改")
        }
        SealError::Key(KeyStoreError::Failed { place, source }) => {
            format!("无法使用 {place} 中的密钥：{source}")
        }
        SealError::NoKey { path, place } => format!(
            "{} 已加密，但 {place} 中没有其密钥；请放回您保存的副本。没有密钥则无人能读取；请在另一目录重新登记本设备，已发送的内容都在公司",
            path.display()
        ),
        SealError::WrongKey { path, place } => format!(
            "{} 使用的不是 {place} 中的密钥；请指明其自己的密钥，没有作任何更改",
            path.display()
        ),
        SealError::Corrupt { path, source } => format!(
            "{} 已损坏，但密钥正确（{source}）；请保留该目录的副本以供支持人员查看，然后清除并重新登记，已发送的内容都在公司",
            path.display()
        ),
        SealError::Sealed(path) => format!(
            "没有密钥无法读取 {}：文件已加密或已损坏；请用加密它的程序和密钥打开",
            path.display()
        ),
        SealError::NoCipher => {
            "本程序不支持加密；请使用带 `sqlcipher` 功能的版本，或不要指定密钥；没有打开任何文件"
                .to_owned()
        }
        SealError::File { path, source } => format!("无法使用 {}：{source}", path.display()),
    }
}
